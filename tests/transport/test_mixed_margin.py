"""Margins with atoms: values on either side of them have a latent, whatever the masses."""

import torch

from pushforward.transport.mixed_margin import MixedMargin


def test_values_beyond_the_last_atom_are_finite_for_any_masses():
    generator = torch.manual_seed(0)
    for _ in range(100):
        low = torch.arange(7).double()
        cells = torch.stack([low, low + 0.5], dim=1)
        counts = torch.randint(3, 40, (7,), generator=generator)
        atoms = torch.repeat_interleave(low + 0.25, counts)
        rest = 8 + torch.rand(60, generator=generator).double() - 9 * (torch.arange(60) % 2)
        margin = MixedMargin.fit(torch.cat([atoms, rest]), cells)
        z, log_slope = margin(rest)
        assert bool(torch.isfinite(z).all())
        assert bool(torch.isfinite(log_slope).all())
        assert float(z[rest > 7].min()) > float(margin(low[-1:] + 0.49)[0])
        torch.testing.assert_close(margin.inverse(z), rest, atol=1e-6, rtol=0)
