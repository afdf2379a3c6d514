"""Run the book's checks on any implementation: a recommender, a loss, a batcher or a sampler, ours or yours.

report = g4r.audit.recommender(model, train, test)
print(report); report.require()
"""

from __future__ import annotations

from .batching import batches
from .losses import loss
from .recommenders import recommender
from .report import Finding, Report
from .sampling import sampler

__all__ = ["Finding", "Report", "batches", "loss", "recommender", "sampler"]
