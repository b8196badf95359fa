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
    "dinh2015nice": """@inproceedings{dinh2015nice,
  title = {{NICE}: Non-linear Independent Components Estimation},
  author = {Dinh, Laurent and Krueger, David and Bengio, Yoshua},
  booktitle = {International Conference on Learning Representations, Workshop Track},
  year = {2015}
}""",
    "dinh2017density": """@inproceedings{dinh2017density,
  title = {Density Estimation Using Real {NVP}},
  author = {Dinh, Laurent and Sohl-Dickstein, Jascha and Bengio, Samy},
  booktitle = {International Conference on Learning Representations},
  year = {2017}
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
    "kingma2018glow": """@inproceedings{kingma2018glow,
  title = {Glow: Generative Flow with Invertible 1x1 Convolutions},
  author = {Kingma, Diederik P. and Dhariwal, Prafulla},
  booktitle = {Advances in Neural Information Processing Systems},
  year = {2018}
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
