"""WGAN-GP of text: lines of characters, made all at once."""

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from ...data import Alphabet, as_lines
from ...data.text.ngrams import ngram_distance
from ...deprecation import renamed
from ...errors import stacklevel_of_caller
from ...estimators.phased_model import DividedRows
from ...estimators.trained_model import Report
from ...networks import CharacterCritic, CharacterGenerator
from ...storage.checkpoint import digest
from ...validation import COUNT, Rule
from .wasserstein_phases import WassersteinGame

__all__ = ["CharacterGAN", "LineSource"]

_SHOWN = 32  # samples in a text file on the way
_LOOKED_AT = 100  # samples of the finished model
_BLANK = 0.5  # of them, beyond the share of the text
_NO_TEXT = 0.2  # of what lines have in common with other lines


@dataclass(frozen=True)
class LineSource:
    """Lines as corners of the simplex.

    Attributes:
        numbers: (n, length) of the characters.
        symbols: how many different ones.
    """

    numbers: Tensor
    symbols: int

    def __len__(self) -> int:
        return len(self.numbers)

    def take(self, rows: np.ndarray, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
        return one_hot(self.numbers[torch.from_numpy(rows)], self.symbols).float(), None


@renamed(rate="learning_rate")
@dataclass(kw_only=True, eq=False, repr=False)
class CharacterGAN(WassersteinGame):
    """Lines of text from a generator that lowers a Wasserstein distance.

    Gulrajani, Ahmed, Arjovsky, Dumoulin and Courville, *Improved Training of Wasserstein GANs*
    (2017), section 5.3: a line is made whole, not a character after the other; the generator's
    softmax goes to the critic as it is, beside lines of corners. Sampling takes the likeliest
    characters. The weights that are kept are those whose samples have the n-grams nearest to those
    of held-out lines (JS-4, ends of lines included). Where even these are no text, after a fit
    that was too short or has collapsed, a warning says so.

    Args:
        preset: "fast", made for minutes on a processor; "paper", its networks, Adam and ten critic
            steps.
        length: characters of a line: longer lines of the text are cut, shorter ones padded.
        characters: how many of the most common characters are known; others become one, U+FFFD.
        width, blocks: channels and residual blocks of both players.
        latent: length of a code.
        penalty: weight of the squared distance of the critic's slope from 1.
        critic_steps: of the critic for each of the generator.
        networks: modules of your own, "generator" (n, latent) to (n, length, symbols) and "critic"
            back to (n,). There are two symbols more than characters, the first for padding, the
            second for unknown characters.
        characters, width, blocks, latent, penalty, critic_steps, batch_size, learning_rate, ema:
            None takes the preset's.
        validation_fraction: share of the lines held out to choose the best weights by, at most
            1,000.
        steps, minutes, batch_size, learning_rate, ema, device, random_state, verbose: as of
            :class:`~pushforward.DCGAN`.

    Attributes:
        alphabet_: which characters are known.
        networks_, settings_, history_, best_, stopped_: see
            :class:`~pushforward.estimators.trained_model.TrainedModel`.

    Examples:
        >>> import pushforward
        >>> lines = ["The cat sat on the mat .", "A dog sat there , too ."] * 20
        >>> model = pushforward.CharacterGAN(width=8, steps=2, random_state=0).fit(lines)
        >>> [len(line) <= 32 for line in model.sample(2, random_state=0)]
        [True, True]
        >>> model.critic(lines[:3]).shape
        (3,)
    """

    length: int = 32
    characters: int | None = None
    width: int | None = None
    blocks: int | None = None
    penalty: float | None = None
    critic_steps: int | None = None

    _rules: ClassVar[Mapping[str, Rule]] = {
        "length": COUNT,
        "characters": COUNT | None,
        "width": COUNT | None,
        "blocks": COUNT | None,
    }
    _cites: ClassVar[tuple[str, ...]] = ("gulrajani2017improved", "arjovsky2017wasserstein")
    _parts: ClassVar[tuple[str, ...]] = ("generator", "critic")
    _rows: ClassVar[str] = "lines"
    # JS-4 is 1, but for rounding, of all samples that share no n-gram with the text: the last of
    # such weights are kept, not the first.
    _tolerance: ClassVar[float] = 1e-6
    _others: ClassVar[Mapping[str, tuple[str, ...]]] = dict.fromkeys(
        ("score_samples", "score", "encode"), ()
    )
    _presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "fast": {
            **{"characters": 96, "width": 32, "blocks": 1, "latent": 64, "batch_size": 32},
            **{"optimiser": "adam", "learning_rate": 1e-3, "betas": [0.5, 0.9], "decay": "linear"},
            **{"ema": 0.99, "steps": None, "minutes": 10.0},
            **{"penalty": 10.0, "critic_steps": 3},
        },
        "paper": {
            **{"characters": 2046, "width": 512, "blocks": 5, "latent": 128, "batch_size": 64},
            **{
                "optimiser": "adam",
                "learning_rate": 1e-4,
                "betas": [0.5, 0.9],
                "decay": "constant",
            },
            **{"ema": None, "steps": 200_000, "minutes": None},
            **{"penalty": 10.0, "critic_steps": 10},
        },
    }

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        validation: Any = None,
        folder: str | Path | None = None,
        tensorboard: bool = False,
        report: Report | None = None,
    ) -> Self:
        """Train on lines of text; see :meth:`TrainedModel.fit`.

        Args:
            X: a list of str, or the path of a file with a sentence a line, plain or ``.gz``.
            y: ignored.
            validation: lines to choose the best weights by; None holds out a share of X.
            folder, tensorboard, report: as there.

        Raises:
            DataError: for what are no lines of text.
            ParameterError, TrainingError: as there.
        """
        self._fit_rows(X, y, validation, folder, tensorboard, report)
        self._warn_of_no_text()
        return self

    def _read(self, X: Any, y: Any, validation: Any) -> tuple[np.ndarray, np.ndarray | None]:
        lines = as_lines(X)
        self.settings_ = self._resolve()
        known = self.settings_["characters"]
        self.alphabet_ = Alphabet.learn(lines, self.settings_["length"], known)
        numbers = self.alphabet_.numbers(lines)
        if validation is None:
            return numbers, None
        return numbers, self.alphabet_.numbers(as_lines(validation)[: self._held_out_rows(10**9)])

    def _divide(self, data: tuple[np.ndarray, np.ndarray | None]) -> DividedRows:
        numbers, held_out = data
        order = np.random.default_rng(self._seed).permutation(len(numbers))
        held = 0 if held_out is not None else self._held_out_rows(len(numbers))
        if held_out is None:
            held_out = numbers[order[:held]]
        numbers = numbers[order[held:]]
        train, lines = torch.from_numpy(numbers), self.alphabet_.lines(held_out)
        others = self.alphabet_.lines(numbers[: max(len(lines), _LOOKED_AT)])
        self._blank = _blank_share(others)
        self._floor = ngram_distance(lines, others[: len(lines)]) if lines and others else 0.0
        return DividedRows(
            LineSource(train, self.alphabet_.n_symbols),
            (lines,) if lines else None,
            lambda: {
                "lines": len(train),
                **self.alphabet_.to_config(),
                "data": digest(train, torch.from_numpy(held_out)),
            },
        )

    def cut(self, X: Any) -> list[str]:
        """Lines as the model sees them: cut to its length, unknown characters replaced.

        What its samples are to be compared with.

        Args:
            X: lines, or the path of a file of them.
        """
        self._check_fitted()
        return self.alphabet_.lines(self.alphabet_.numbers(as_lines(X)))

    def _resolve(self) -> dict[str, Any]:
        return self._of_preset() | {"length": self.length}

    def _abilities(self) -> dict[str, Any]:
        return {**super()._abilities(), "kind": "text", "codec": self.alphabet_}

    def _row_shape(self) -> tuple[int, ...]:
        return self.alphabet_.event_shape

    def _begin(self) -> dict[str, nn.Module]:
        return self._build(self._row_shape())

    def _network(self, name: str, shape: Any) -> nn.Module:
        s, (length, symbols) = self.settings_, shape
        if name == "generator":
            return CharacterGenerator(s["latent"], length, symbols, s["width"], s["blocks"])
        return CharacterCritic(length, symbols, s["width"], s["blocks"])

    def _measures(self, lines: list[str]) -> Mapping[str, float]:
        made = self._to_user(self._make(len(lines), torch.Generator().manual_seed(0)))
        return {"js_4": ngram_distance(lines, made)}

    def _warn_of_no_text(self) -> None:
        """Warn where the weights that are kept write no text, after a fit."""
        blank = _blank_share(self.sample(_LOOKED_AT, random_state=0))
        found = [f"{blank:.0%} of its lines are blank"] if blank > self._blank + _BLANK else []
        if self.best_ is not None:
            js = self.best_["value"]
            if 1 - js < _NO_TEXT * (1 - self._floor):
                found.append(
                    f"its four-grams are {js:.2f} from those of held-out lines (JS-4; lines of "
                    f"the text are {self._floor:.2f} from them, and nothing in common is 1)"
                )
        if found:
            warnings.warn(
                f"What the model writes is no text: {' and '.join(found)}. Give it more minutes "
                "or steps; where that does not help, lower the learning_rate or try another "
                "random_state.",
                stacklevel=stacklevel_of_caller(),
            )

    def _picture(self, path: Path) -> None:
        """Write samples of codes that stay the same through the run."""
        lines = self._to_user(self._make(_SHOWN, torch.Generator().manual_seed(0)))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".txt").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def _decoded(self, z: Tensor) -> Tensor:
        """The likeliest characters of codes, (n, length): probabilities of many would not fit."""
        decoded = super()._decoded
        parts = [decoded(part).argmax(2) for part in z.split(self._at_once())]
        return torch.cat(parts)

    def _chunks(self, X: Any) -> Iterator[tuple[slice, Tensor]]:
        numbers = torch.from_numpy(self.alphabet_.numbers(as_lines(X)))
        size = self._at_once()
        for start in range(0, len(numbers), size):
            yield slice(start, start + size), numbers[start : start + size]

    def _to_network(self, rows: Tensor) -> Tensor:
        return one_hot(rows, self.alphabet_.n_symbols).float().to(self._device())

    def _to_user(self, x: Tensor) -> list[str]:
        """Lines of probabilities (n, length, symbols), or of numbers of symbols (n, length)."""
        numbers = x.argmax(2) if x.ndim == 3 else x
        return self.alphabet_.lines(numbers.cpu().numpy())

    def _state(self) -> dict[str, Any]:
        return {**super()._state(), "alphabet": self.alphabet_.to_config()}

    def _restore(self, state: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        self.alphabet_ = Alphabet.from_config(state["alphabet"])
        super()._restore(state, tensors)

    def _card(self) -> str:
        from ...estimators.run_card import run_card

        known = self.alphabet_
        what = (
            f"A model of lines of text, of up to {known.length} characters out of "
            f"{len(known.characters)}"
        )
        use = "lines = model.sample(10)   # a list of str"
        return run_card(self, what=what, use=use, held_out="lines")


def _blank_share(lines: list[str]) -> float:
    return sum(not line.strip() for line in lines) / max(1, len(lines))
