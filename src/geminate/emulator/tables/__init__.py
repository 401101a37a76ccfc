"""A BigQuery subset on DuckDB: datasets in locations, tables, load jobs with ids, pages of rows.

It is a reference of the rules that a pipeline's safety rests on, not a second BigQuery: a job id is used once,
``WRITE_EMPTY`` refuses a table with rows, a job runs where its dataset lies, a load is whole or nothing, and a column
of type JSON holds canonical JSON. Of SQL it runs the reading of one table.
"""

from geminate.emulator.tables.api import TableApi
from geminate.emulator.tables.serving import TableServer

__all__ = ["TableApi", "TableServer"]
