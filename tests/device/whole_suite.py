"""All other tests with the pretend device as the GPU of the machine: what can use one does.

    PYTHONPATH=tests/device python -m pytest -p whole_suite --ignore tests/device

A plugin, which pytest imports before anything imports torch.
"""

import pretend_cuda

pretend_cuda.install()
