"""The memory: the one room that speaks to PostgreSQL. Imported only by the ``__main__`` modules and ``standalone``."""
