"""BibTeX of the methods, for ``model.cite()`` and the model card."""

from collections.abc import Iterable

__all__ = ["bibtex"]

_ENTRIES = {
    "dai2021sliced": """@inproceedings{dai2021sliced,
  title = {Sliced Iterative Normalizing Flows},
  author = {Dai, Biwei and Seljak, Uro{\\v{s}}},
  booktitle = {International Conference on Machine Learning},
  year = {2021}
}""",
    "durkan2019neural": """@inproceedings{durkan2019neural,
  title = {Neural Spline Flows},
  author = {Durkan, Conor and Bekasov, Artur and Murray, Iain and Papamakarios, George},
  booktitle = {Advances in Neural Information Processing Systems},
  year = {2019}
}""",
    "friedman1989regularized": """@article{friedman1989regularized,
  title = {Regularized Discriminant Analysis},
  author = {Friedman, Jerome H.},
  journal = {Journal of the American Statistical Association},
  volume = {84},
  number = {405},
  pages = {165--175},
  year = {1989}
}""",
    "smyth1999linearly": """@article{smyth1999linearly,
  title = {Linearly Combining Density Estimators via Stacking},
  author = {Smyth, Padhraic and Wolpert, David},
  journal = {Machine Learning},
  volume = {36},
  pages = {59--83},
  year = {1999}
}""",
}


def bibtex(keys: Iterable[str]) -> str:
    """The entries of ``keys``, one after the other."""
    return "\n\n".join(_ENTRIES[key] for key in keys)
