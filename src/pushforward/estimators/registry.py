"""The classes of models that folders may hold, and where each is defined."""

from collections.abc import Mapping

__all__ = ["MODELS"]

#: Every class a model folder may name, and where it lives. Nothing else is ever built.
MODELS: Mapping[str, str] = {
    "AGE": "pushforward.models.gans.age",
    "AlphaGAN": "pushforward.models.gans.alpha_gan",
    "AutoDensity": "pushforward.models.sliced.auto",
    "BEGAN": "pushforward.models.gans.began",
    "CharacterGAN": "pushforward.models.gans.character_gan",
    "DCGAN": "pushforward.models.gans.dcgan",
    "DFM": "pushforward.models.gans.dfm",
    "EBGAN": "pushforward.models.gans.ebgan",
    "GIS": "pushforward.models.sliced.gis",
    "Glow": "pushforward.models.flows.glow",
    "MMDGAN": "pushforward.models.gans.mmd_gan",
    "NICE": "pushforward.models.flows.nice",
    "Predictor": "pushforward.models.prediction.predictor",
    "RealNVP": "pushforward.models.flows.realnvp",
    "RefinedModel": "pushforward.refinement.refined_model",
    "SIG": "pushforward.models.sliced.sig",
    "TableFlow": "pushforward.models.flows.table_flow",
    "TableSIG": "pushforward.models.sliced.table_sig",
    "TableGAN": "pushforward.models.gans.table_gan",
    "VAE": "pushforward.models.vaes.vae",
    "VAEGAN": "pushforward.models.gans.vae_gan",
    "WGAN": "pushforward.models.gans.wgan",
    "WGANGP": "pushforward.models.gans.wgan_gp",
}
