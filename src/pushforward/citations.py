"""BibTeX of the methods: of models for ``model.cite()`` and the card, of measures for theirs."""

from collections.abc import Iterable

__all__ = ["bibtex"]

_ENTRIES = {
    "ansari2021refining": """@inproceedings{ansari2021refining,
  title = {Refining Deep Generative Models via Discriminator Gradient Flow},
  author = {Ansari, Abdul Fatir and Ang, Ming Liang and Soh, Harold},
  booktitle = {International Conference on Learning Representations},
  year = {2021}
}""",
    "arjovsky2017wasserstein": """@inproceedings{arjovsky2017wasserstein,
  title = {{Wasserstein} Generative Adversarial Networks},
  author = {Arjovsky, Martin and Chintala, Soumith and Bottou, L{\\'e}on},
  booktitle = {International Conference on Machine Learning},
  year = {2017}
}""",
    "azadi2019discriminator": """@inproceedings{azadi2019discriminator,
  title = {Discriminator Rejection Sampling},
  author = {Azadi, Samaneh and Olsson, Catherine and Darrell, Trevor and Goodfellow, Ian and
    Odena, Augustus},
  booktitle = {International Conference on Learning Representations},
  year = {2019}
}""",
    "berthelot2017began": """@article{berthelot2017began,
  title = {{BEGAN}: Boundary Equilibrium Generative Adversarial Networks},
  author = {Berthelot, David and Schumm, Thomas and Metz, Luke},
  journal = {arXiv preprint arXiv:1703.10717},
  year = {2017}
}""",
    "binkowski2018demystifying": """@inproceedings{binkowski2018demystifying,
  title = {Demystifying {MMD} {GANs}},
  author = {Bi{\\'n}kowski, Miko{\\l}aj and Sutherland, Danica J. and Arbel, Michael and
    Gretton, Arthur},
  booktitle = {International Conference on Learning Representations},
  year = {2018}
}""",
    "bonneel2015sliced": """@article{bonneel2015sliced,
  title = {Sliced and {Radon} {Wasserstein} Barycenters of Measures},
  author = {Bonneel, Nicolas and Rabin, Julien and Peyr{\\'e}, Gabriel and Pfister, Hanspeter},
  journal = {Journal of Mathematical Imaging and Vision},
  volume = {51},
  pages = {22--45},
  year = {2015}
}""",
    "che2020your": """@inproceedings{che2020your,
  title = {Your {GAN} is Secretly an Energy-based Model and You Should Use Discriminator Driven
    Latent Sampling},
  author = {Che, Tong and Zhang, Ruixiang and Sohl-Dickstein, Jascha and Larochelle, Hugo and
    Paull, Liam and Cao, Yuan and Bengio, Yoshua},
  booktitle = {Advances in Neural Information Processing Systems},
  year = {2020}
}""",
    "dai2021sliced": """@inproceedings{dai2021sliced,
  title = {Sliced Iterative Normalizing Flows},
  author = {Dai, Biwei and Seljak, Uro{\\v{s}}},
  booktitle = {International Conference on Machine Learning},
  year = {2021}
}""",
    "danihelka2017comparison": """@article{danihelka2017comparison,
  title = {Comparison of Maximum Likelihood and {GAN}-based Training of Real {NVPs}},
  author = {Danihelka, Ivo and Lakshminarayanan, Balaji and Uria, Benigno and Wierstra,
    Daan and Dayan, Peter},
  journal = {arXiv preprint arXiv:1705.05263},
  year = {2017}
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
    "esteban2017real": """@article{esteban2017real,
  title = {Real-valued (Medical) Time Series Generation with Recurrent Conditional {GANs}},
  author = {Esteban, Crist{\\'o}bal and Hyland, Stephanie L. and R{\\"a}tsch, Gunnar},
  journal = {arXiv preprint arXiv:1706.02633},
  year = {2017}
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
    "goodfellow2014generative": """@inproceedings{goodfellow2014generative,
  title = {Generative Adversarial Nets},
  author = {Goodfellow, Ian and Pouget-Abadie, Jean and Mirza, Mehdi and Xu, Bing and
    Warde-Farley, David and Ozair, Sherjil and Courville, Aaron and Bengio, Yoshua},
  booktitle = {Advances in Neural Information Processing Systems},
  year = {2014}
}""",
    "gretton2012kernel": """@article{gretton2012kernel,
  title = {A Kernel Two-Sample Test},
  author = {Gretton, Arthur and Borgwardt, Karsten M. and Rasch, Malte J. and
    Sch{\\"o}lkopf, Bernhard and Smola, Alexander},
  journal = {Journal of Machine Learning Research},
  volume = {13},
  pages = {723--773},
  year = {2012}
}""",
    "gulrajani2017improved": """@inproceedings{gulrajani2017improved,
  title = {Improved Training of {Wasserstein} {GANs}},
  author = {Gulrajani, Ishaan and Ahmed, Faruk and Arjovsky, Martin and Dumoulin, Vincent
    and Courville, Aaron},
  booktitle = {Advances in Neural Information Processing Systems},
  year = {2017}
}""",
    "he2016deep": """@inproceedings{he2016deep,
  title = {Deep Residual Learning for Image Recognition},
  author = {He, Kaiming and Zhang, Xiangyu and Ren, Shaoqing and Sun, Jian},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition},
  year = {2016}
}""",
    "heusel2017gans": """@inproceedings{heusel2017gans,
  title = {{GANs} Trained by a Two Time-Scale Update Rule Converge to a Local {Nash} Equilibrium},
  author = {Heusel, Martin and Ramsauer, Hubert and Unterthiner, Thomas and Nessler,
    Bernhard and Hochreiter, Sepp},
  booktitle = {Advances in Neural Information Processing Systems},
  year = {2017}
}""",
    "huang2024gan": """@inproceedings{huang2024gan,
  title = {The {GAN} is dead; long live the {GAN}! A Modern Baseline {GAN}},
  author = {Huang, Yiwen and Gokaslan, Aaron and Kuleshov, Volodymyr and Tompkin, James},
  booktitle = {Advances in Neural Information Processing Systems},
  year = {2024}
}""",
    "kingma2014auto": """@inproceedings{kingma2014auto,
  title = {Auto-Encoding Variational {Bayes}},
  author = {Kingma, Diederik P. and Welling, Max},
  booktitle = {International Conference on Learning Representations},
  year = {2014}
}""",
    "kingma2018glow": """@inproceedings{kingma2018glow,
  title = {Glow: Generative Flow with Invertible 1x1 Convolutions},
  author = {Kingma, Diederik P. and Dhariwal, Prafulla},
  booktitle = {Advances in Neural Information Processing Systems},
  year = {2018}
}""",
    "kynkaanniemi2019improved": """@inproceedings{kynkaanniemi2019improved,
  title = {Improved Precision and Recall Metric for Assessing Generative Models},
  author = {Kynk{\\"a}{\\"a}nniemi, Tuomas and Karras, Tero and Laine, Samuli and Lehtinen,
    Jaakko and Aila, Timo},
  booktitle = {Advances in Neural Information Processing Systems},
  year = {2019}
}""",
    "larsen2016autoencoding": """@inproceedings{larsen2016autoencoding,
  title = {Autoencoding beyond Pixels using a Learned Similarity Metric},
  author = {Larsen, Anders Boesen Lindbo and S{\\o}nderby, S{\\o}ren Kaae and Larochelle, Hugo
    and Winther, Ole},
  booktitle = {International Conference on Machine Learning},
  year = {2016}
}""",
    "lopezpaz2017revisiting": """@inproceedings{lopezpaz2017revisiting,
  title = {Revisiting Classifier Two-Sample Tests},
  author = {Lopez-Paz, David and Oquab, Maxime},
  booktitle = {International Conference on Learning Representations},
  year = {2017}
}""",
    "miyato2018spectral": """@inproceedings{miyato2018spectral,
  title = {Spectral Normalization for Generative Adversarial Networks},
  author = {Miyato, Takeru and Kataoka, Toshiki and Koyama, Masanori and Yoshida, Yuichi},
  booktitle = {International Conference on Learning Representations},
  year = {2018}
}""",
    "naeem2020reliable": """@inproceedings{naeem2020reliable,
  title = {Reliable Fidelity and Diversity Metrics for Generative Models},
  author = {Naeem, Muhammad Ferjad and Oh, Seong Joon and Uh, Youngjung and Choi, Yunjey
    and Yoo, Jaejun},
  booktitle = {International Conference on Machine Learning},
  year = {2020}
}""",
    "nalisnick2019detecting": """@article{nalisnick2019detecting,
  title = {Detecting Out-of-Distribution Inputs to Deep Generative Models Using Typicality},
  author = {Nalisnick, Eric and Matsukawa, Akihiro and Teh, Yee Whye and Lakshminarayanan, Balaji},
  journal = {arXiv preprint arXiv:1906.02994},
  year = {2019}
}""",
    "nguyen2017plug": """@inproceedings{nguyen2017plug,
  title = {Plug and Play Generative Networks: Conditional Iterative Generation of Images in
    Latent Space},
  author = {Nguyen, Anh and Clune, Jeff and Bengio, Yoshua and Dosovitskiy, Alexey and
    Yosinski, Jason},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition},
  year = {2017}
}""",
    "odena2017conditional": """@inproceedings{odena2017conditional,
  title = {Conditional Image Synthesis with Auxiliary Classifier {GANs}},
  author = {Odena, Augustus and Olah, Christopher and Shlens, Jonathon},
  booktitle = {International Conference on Machine Learning},
  year = {2017}
}""",
    "parmar2022aliased": """@inproceedings{parmar2022aliased,
  title = {On Aliased Resizing and Surprising Subtleties in {GAN} Evaluation},
  author = {Parmar, Gaurav and Zhang, Richard and Zhu, Jun-Yan},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition},
  year = {2022}
}""",
    "platzer2021holdout": """@article{platzer2021holdout,
  title = {Holdout-Based Empirical Assessment of Mixed-Type Synthetic Data},
  author = {Platzer, Michael and Reutterer, Thomas},
  journal = {Frontiers in Big Data},
  volume = {4},
  year = {2021}
}""",
    "radford2016unsupervised": """@inproceedings{radford2016unsupervised,
  title = {Unsupervised Representation Learning with Deep Convolutional Generative Adversarial
    Networks},
  author = {Radford, Alec and Metz, Luke and Chintala, Soumith},
  booktitle = {International Conference on Learning Representations},
  year = {2016}
}""",
    "rosca2017variational": """@article{rosca2017variational,
  title = {Variational Approaches for Auto-Encoding Generative Adversarial Networks},
  author = {Rosca, Mihaela and Lakshminarayanan, Balaji and Warde-Farley, David and
    Mohamed, Shakir},
  journal = {arXiv preprint arXiv:1706.04987},
  year = {2017}
}""",
    "rubin1987calculation": """@article{rubin1987calculation,
  title = {The Calculation of Posterior Distributions by Data Augmentation: Comment: The {SIR}
    Algorithm},
  author = {Rubin, Donald B.},
  journal = {Journal of the American Statistical Association},
  volume = {82},
  number = {398},
  pages = {543--546},
  year = {1987}
}""",
    "salimans2016improved": """@inproceedings{salimans2016improved,
  title = {Improved Techniques for Training {GANs}},
  author = {Salimans, Tim and Goodfellow, Ian and Zaremba, Wojciech and Cheung, Vicki and
    Radford, Alec and Chen, Xi},
  booktitle = {Advances in Neural Information Processing Systems},
  year = {2016}
}""",
    "serra2020input": """@inproceedings{serra2020input,
  title = {Input Complexity and Out-of-distribution Detection with Likelihood-based
    Generative Models},
  author = {Serr{\\`a}, Joan and {\\'A}lvarez, David and G{\\'o}mez, Vicen{\\c{c}} and
    Slizovskaia, Olga and N{\\'u}{\\~n}ez, Jos{\\'e} F. and Luque, Jordi},
  booktitle = {International Conference on Learning Representations},
  year = {2020}
}""",
    "smyth1999linearly": """@article{smyth1999linearly,
  title = {Linearly Combining Density Estimators via Stacking},
  author = {Smyth, Padhraic and Wolpert, David},
  journal = {Machine Learning},
  volume = {36},
  pages = {59--83},
  year = {1999}
}""",
    "srivastava2017veegan": """@inproceedings{srivastava2017veegan,
  title = {{VEEGAN}: Reducing Mode Collapse in {GANs} using Implicit Variational Learning},
  author = {Srivastava, Akash and Valkov, Lazar and Russell, Chris and Gutmann, Michael U.
    and Sutton, Charles},
  booktitle = {Advances in Neural Information Processing Systems},
  year = {2017}
}""",
    "szegedy2016rethinking": """@inproceedings{szegedy2016rethinking,
  title = {Rethinking the Inception Architecture for Computer Vision},
  author = {Szegedy, Christian and Vanhoucke, Vincent and Ioffe, Sergey and Shlens, Jon
    and Wojna, Zbigniew},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition},
  year = {2016}
}""",
    "tanaka2019discriminator": """@inproceedings{tanaka2019discriminator,
  title = {Discriminator Optimal Transport},
  author = {Tanaka, Akinori},
  booktitle = {Advances in Neural Information Processing Systems},
  year = {2019}
}""",
    "turner2019metropolis": """@inproceedings{turner2019metropolis,
  title = {{Metropolis-Hastings} Generative Adversarial Networks},
  author = {Turner, Ryan and Hung, Jane and Frank, Eric and Saatchi, Yunus and Yosinski, Jason},
  booktitle = {International Conference on Machine Learning},
  year = {2019}
}""",
    "ulyanov2018takes": """@inproceedings{ulyanov2018takes,
  title = {It Takes (Only) Two: Adversarial Generator-Encoder Networks},
  author = {Ulyanov, Dmitry and Vedaldi, Andrea and Lempitsky, Victor},
  booktitle = {AAAI Conference on Artificial Intelligence},
  year = {2018}
}""",
    "verine2024optimal": """@inproceedings{verine2024optimal,
  title = {Optimal Budgeted Rejection Sampling for Generative Models},
  author = {Verine, Alexandre and Pydi, Muni Sreenivas and Negrevergne, Benjamin and
    Chevaleyre, Yann},
  booktitle = {International Conference on Artificial Intelligence and Statistics},
  year = {2024}
}""",
    "wang2003multiscale": """@inproceedings{wang2003multiscale,
  title = {Multiscale Structural Similarity for Image Quality Assessment},
  author = {Wang, Zhou and Simoncelli, Eero P. and Bovik, Alan C.},
  booktitle = {Asilomar Conference on Signals, Systems and Computers},
  year = {2003}
}""",
    "wardefarley2017improving": """@inproceedings{wardefarley2017improving,
  title = {Improving Generative Adversarial Networks with Denoising Feature Matching},
  author = {Warde-Farley, David and Bengio, Yoshua},
  booktitle = {International Conference on Learning Representations},
  year = {2017}
}""",
    "zhao2017energy": """@inproceedings{zhao2017energy,
  title = {Energy-based Generative Adversarial Networks},
  author = {Zhao, Junbo and Mathieu, Michael and LeCun, Yann},
  booktitle = {International Conference on Learning Representations},
  year = {2017}
}""",
}


def bibtex(keys: Iterable[str]) -> str:
    """The entries of ``keys``, one after the other."""
    return "\n\n".join(_ENTRIES[key] for key in keys)
