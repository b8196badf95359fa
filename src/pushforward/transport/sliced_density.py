"""The density of sliced models: a marginal layer, a Gaussian mixture, a flow per component.

``p(x) = |det m'(x)| sum_c w_c N(f_c(L_c^-1 (m(x) - mu_c)); 0, I) |det f_c'| / |det L_c|``, with m
the marginal layer, where there is one, followed by compressed ends, where there are any:
with one component and no flow it is a Gaussian, with one component the flow of Dai & Seljak,
with many a mixture of flows; averages of such densities are of the same form.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .compressed_ends import CompressedEnds
from .margins import Margins, of_many_coordinates
from .numerics import normal_log_prob, with_prefix
from .sliced_flow import SlicedFlow, SliceLayer

__all__ = ["Component", "SlicedDensity"]

_TAILS = ("edge", "log_mass", "shape", "scale", "last", "rise")
_BLOCK = 1 << 16  # numbers in one batched latent: they stay in the cache from layer to layer


@dataclass
class Component:
    """One term of the mixture: log weight, mean (d,), lower factor (d, d), layers, spread.

    The latent is N(0, spread^2 I): rows that a flow was not fitted to are farther out in it than
    those it was.
    """

    log_weight: float
    mean: Tensor
    factor: Tensor
    layers: list[SliceLayer]
    spread: float = 1.0


class SlicedDensity(nn.Module):
    """An exact density on R^d that samples; in float64 but for the flow's own dtype.

    Buffers: ``log_weight`` (C,), ``mean`` (C, d), ``factor`` (C, d, d) lower triangular,
    ``spread`` (C,) standard deviation of the latents.

    Args:
        margins: marginal layer applied first, or None.
        log_weight, mean, factor, spread: the mixture, components in order of falling flow depth.
        flow: bank of C flows, or None where no component has a layer.
        ends: what draws far points nearer, after the marginal layer; None for nothing.
    """

    log_weight: Tensor
    mean: Tensor
    factor: Tensor
    spread: Tensor

    def __init__(
        self,
        margins: Margins | None,
        log_weight: Tensor,
        mean: Tensor,
        factor: Tensor,
        spread: Tensor,
        flow: SlicedFlow | None,
        ends: CompressedEnds | None = None,
    ) -> None:
        super().__init__()
        self.margins, self.ends, self.flow = margins, ends, flow
        self.register_buffer("log_weight", log_weight)
        self.register_buffer("mean", mean)
        self.register_buffer("factor", factor)
        self.register_buffer("spread", spread)
        components, d = mean.shape
        eye = torch.eye(d, dtype=factor.dtype).expand_as(factor)
        self._whiten = torch.linalg.solve_triangular(factor, eye, upper=False)
        self._shift = -(self._whiten @ mean[..., None]).reshape(components * d, 1)
        self._whiten_all = self._whiten.reshape(components * d, d)
        self._constant = (
            log_weight - factor.diagonal(dim1=1, dim2=2).log().sum(1) - d * spread.log()
        )

    @classmethod
    def assemble(
        cls,
        components: Iterable[Component],
        margins: Margins | None = None,
        ends: CompressedEnds | None = None,
    ) -> "SlicedDensity":
        """Build from components in any order; weights are normalised."""
        ordered = sorted(components, key=lambda c: -len(c.layers))
        log_weight = torch.tensor([c.log_weight for c in ordered], dtype=torch.float64)
        flows = [c.layers for c in ordered]
        return cls(
            margins,
            log_weight.log_softmax(0),
            torch.stack([c.mean for c in ordered]),
            torch.stack([c.factor for c in ordered]),
            torch.tensor([c.spread for c in ordered], dtype=torch.float64),
            SlicedFlow.stack(flows) if flows[0] else None,
            ends,
        )

    @classmethod
    def from_state(cls, state: dict[str, Tensor]) -> "SlicedDensity":
        """Rebuild from the tensors of ``state_dict()``; their shapes say all the rest."""
        state = of_many_coordinates(state, "margins.")
        _check_state(state)
        margins, ends, flow = (
            with_prefix(state, f"{part}.") for part in ("margins", "ends", "flow")
        )
        return cls(
            Margins.from_state(margins) if margins else None,
            state["log_weight"],
            state["mean"],
            state["factor"],
            state["spread"],
            SlicedFlow(**flow) if flow else None,
            CompressedEnds.from_state(ends) if ends else None,
        )

    def with_spread(self, spread: float) -> "SlicedDensity":
        """The density whose latents have this standard deviation; they share their layers."""
        return self._with(self.margins, torch.full_like(self.spread, spread), self.ends)

    def behind_margins(self) -> "SlicedDensity":
        """The density of what comes out of the margins and ends; they share the other layers."""
        return self._with(None, self.spread, None)

    def _with(
        self, margins: Margins | None, spread: Tensor, ends: CompressedEnds | None
    ) -> "SlicedDensity":
        return SlicedDensity(
            margins, self.log_weight, self.mean, self.factor, spread, self.flow, ends
        )

    def compute_on(self, device: torch.device) -> None:
        """Move the flow, which costs the most, to a device; points come and go as they are."""
        if self.flow is not None:
            self.flow.to(device)

    @property
    def dimension(self) -> int:
        """Number of coordinates d."""
        return self.mean.shape[1]

    def log_prob(self, x: Tensor) -> Tensor:
        """Log density in nats: (n, d) float64 -> (n,) float64."""
        return self.component_log_prob(x).logsumexp(1)

    def component_log_prob(self, x: Tensor) -> Tensor:
        """Log of weight times density of each component: (n, d) -> (n, C).

        Rows and components come in blocks whose numbers stay in the cache from layer to layer.
        """
        components, d = self.mean.shape
        if len(x) == 0:
            return x.new_zeros(0, components)
        width = max(1, d, 0 if self.flow is None else self.flow.x.shape[1])
        size = max(64, min(len(x), _BLOCK // width))
        run = max(1, _BLOCK // (size * width))
        parts = []
        for rows in x.split(size):
            y, log_det = self._first(rows)
            blocks = [
                self._block_log_prob(y, slice(c, min(c + run, components)))
                for c in range(0, components, run)
            ]
            parts.append((torch.cat(blocks) + log_det).T)
        result = torch.cat(parts)
        # a point so far out that a flow loses it has no density under this component
        return torch.where(result < math.inf, result, -math.inf)

    def _block_log_prob(self, x: Tensor, which: slice) -> Tensor:
        """The same for the run ``which`` of components, behind the margins: (d, n) -> (B, n)."""
        d, n = x.shape
        part = slice(which.start * d, which.stop * d)
        z = torch.addmm(self._shift[part], self._whiten_all[part], x)
        z = z.view(which.stop - which.start, d, n)
        result = self._constant[which, None]
        if self.flow is not None and int(self.flow.depths[which.start]) > 0:
            moved, log_det = self.flow(z.to(self.flow.x), which)
            z, result = moved.to(x.device), result + log_det.to(x.device)
        return result + normal_log_prob(z / self.spread[which, None, None], dim=1)

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw (n, d) rows."""
        if self.dimension == 0:
            return self.mean.new_zeros(n, 0)
        which = torch.multinomial(self.log_weight.exp(), n, replacement=True, generator=generator)
        latent = torch.randn(n, self.dimension, generator=generator, dtype=torch.float64)
        return self.from_latent(latent, which)

    def from_latent(self, z: Tensor, which: Tensor) -> Tensor:
        """Carry latents (n, d) back to data, row i through component ``which[i]``."""

        def back(block: Tensor, component: Tensor) -> Tensor:
            block = block * self.spread[component][:, None, None]
            if self.flow is not None:
                there = block.to(self.flow.x), component.to(self.flow.x.device)
                block = self.flow.solve(*there).to(block.device)
            return self.factor[component] @ block.double() + self.mean[component][..., None]

        x = _in_blocks(z, which, back)
        x = x.T.contiguous()
        for layer in (self.ends, self.margins):
            x = x if layer is None else layer.inverse(x)
        return x.T.contiguous()

    def to_latent(self, x: Tensor, which: Tensor) -> Tensor:
        """Carry data (n, d) to latents, row i through component ``which[i]``."""
        x = self._first(x)[0].T

        def there(block: Tensor, component: Tensor) -> Tensor:
            z = self._whiten[component] @ (block - self.mean[component][..., None])
            if self.flow is not None:
                moved, _ = self.flow(z.to(self.flow.x), component.to(self.flow.x.device))
                z = moved.to(z.device)
            return z.double() / self.spread[component][:, None, None]

        return _in_blocks(x, which, there)

    def _first(self, x: Tensor) -> tuple[Tensor, Tensor | float]:
        """The layers before the mixture: (n, d) -> (d, n), log-det (n,)."""
        y, log_det = x.T.contiguous(), 0.0
        for layer in (self.margins, self.ends):
            if layer is not None:
                y, change = layer(y)
                log_det = log_det + change
        return y, log_det

    def _single(self, component: int) -> list[SliceLayer]:
        """The layers of one component's flow, without batch dimension."""
        return [] if self.flow is None else self.flow.single(component)

    def components(self) -> list[Component]:
        """The terms of the mixture, for taking it apart and joining it with others."""
        return [
            Component(
                float(w), self.mean[c], self.factor[c], self._single(c), float(self.spread[c])
            )
            for c, w in enumerate(self.log_weight)
        ]


def _check_state(state: dict[str, Tensor]) -> None:
    """Raise ValueError unless the tensors have the shapes that belong together, and values."""
    components, d = state["mean"].shape
    _expect(state, (components,), "log_weight", "spread")
    if not abs(float(state["log_weight"].double().logsumexp(0))) < 1e-6:
        raise ValueError("the weights of the components are no shares")
    if not bool((state["spread"] > 0).all()):
        raise ValueError("the latents of a component have no spread")
    _expect(state, (components, d, d), "factor")
    if "flow.depths" in state:
        depths = state["flow.depths"]
        _expect(state, (components,), "flow.depths")
        if bool((depths < 0).any()) or bool((depths.diff() > 0).any()):
            raise ValueError("the depths of the flows are not in falling order")
        layers, slices = int(depths.sum()), state["flow.directions"].shape[-1]
        _expect(state, (layers, d, slices), "flow.directions")
        _expect(state, (), "flow.uniform")
        _expect_knots(state, (layers, slices), "flow.")
    if any(name.startswith("ends.") for name in state):
        _expect(state, (d,), "ends.low", "ends.high", "ends.reach")
    if any(name.startswith("margins.") for name in state):
        _check_margins(state, d)
    for name, tensor in state.items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise ValueError(f"tensor {name} holds values that are not finite")


def _check_margins(state: dict[str, Tensor], d: int) -> None:
    """The same for the marginal layer of d coordinates."""
    if "margins.kind" not in state:
        raise ValueError("tensor margins.kind is missing")
    _expect(state, (d,), "margins.kind")
    kind = state["margins.kind"]
    groups = {name.split(".")[2] for name in state if name.startswith("margins.atoms.")}
    whole = kind.dtype == torch.int64
    if not whole or not bool(((kind >= 0) & (kind < 2 + len(groups))).all()):
        raise ValueError("the marginal layer has coordinates of an unknown kind")
    smooth, tabled, *mixed = torch.bincount(kind, minlength=2).tolist()
    if smooth:
        _expect_smooth(state, smooth, "margins.smooth.")
    if tabled:
        _expect(state, (2, tabled), *(f"margins.cells.tails.{p}" for p in _TAILS))
        _expect(state, (tabled,), *(f"margins.cells.{p}" for p in ("origin", "width", "first")))
        _expect(state, (tabled, state["margins.cells.mass"].shape[-1]), "margins.cells.mass")
    for i, count in enumerate(mixed):
        part = f"margins.atoms.{i}."
        _expect_smooth(state, count, f"{part}smooth.")
        atoms = state[f"{part}low"].shape[-1]
        _expect(state, (count, atoms), *(f"{part}{p}" for p in ("low", "high", "mass")))


def _expect(state: dict[str, Tensor], shape: tuple[int, ...], *names: str) -> None:
    for name in names:
        if name not in state or state[name].shape != shape:
            found = tuple(state[name].shape) if name in state else "nothing"
            raise ValueError(f"tensor {name} has shape {found}, expected {shape}")


def _expect_knots(state: dict[str, Tensor], count: tuple[int, ...], prefix: str) -> None:
    shape = (*count, state[f"{prefix}x"].shape[-1])
    _expect(state, shape, *(f"{prefix}{p}" for p in ("y", "x", "slope")))
    rising = all(bool((state[f"{prefix}{p}"].diff(dim=-1) > 0).all()) for p in ("x", "y"))
    if not rising or not bool((state[f"{prefix}slope"] > 0).all()):
        raise ValueError(f"the splines {prefix} do not rise")


def _expect_smooth(state: dict[str, Tensor], count: int, prefix: str) -> None:
    _expect(state, (2, count), *(f"{prefix}tails.{p}" for p in _TAILS))
    for part in ("coarse", "fine"):
        _expect_knots(state, (count,), f"{prefix}{part}.")


def _in_blocks(x: Tensor, which: Tensor, move: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Run rows (n, d) through ``move`` in blocks (B, d, m) of one component each.

    Blocks are filled up with rows of their own component, so that all have one size; they
    come in order of components.
    """
    if x.numel() == 0:
        return x.clone()
    order = which.argsort(stable=True)
    count = torch.bincount(which)
    size = int(max(16, min(8192, len(which) // max(1, int((count > 0).sum())))))
    blocks = (count + size - 1) // size
    component = torch.repeat_interleave(torch.arange(len(count)), blocks)
    first = torch.repeat_interleave(blocks.cumsum(0) - blocks, blocks)
    start = (count.cumsum(0) - count)[component] + (torch.arange(len(component)) - first) * size
    last = count.cumsum(0)[component] - 1
    place = start[:, None] + torch.arange(size)
    own = place <= last[:, None]
    rows = order[torch.minimum(place, last[:, None])]
    result = torch.empty_like(x)
    for part in range(0, len(rows), 64):
        index, chosen = rows[part : part + 64], component[part : part + 64]
        moved = move(x[index].mT.contiguous(), chosen)
        kept = own[part : part + 64]  # gradients must not flow through what fills a block up
        result[index[kept]] = moved.mT[kept]
    return result
