"""Figures and side-by-side measurements; nothing here is imported by the product."""

import os

# As the command line sets it, before NumPy is imported: pools that spin against each other would be measured too.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
