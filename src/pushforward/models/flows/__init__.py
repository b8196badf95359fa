"""Invertible networks: exact likelihood, and latents to interpolate and edit."""

from .glow import Glow
from .nice import NICE
from .realnvp import RealNVP
from .table_flow import TableFlow

__all__ = ["NICE", "Glow", "RealNVP", "TableFlow"]
