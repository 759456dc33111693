"""Figures and side-by-side measurements; nothing here is imported by the product."""
