"""Bars as answers tell them: from caches, stores and shorter bars, as JSON or as files."""
