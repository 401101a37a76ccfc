"""BigQuery through google-cloud-bigquery: loads that happen once, reads that notice a change."""

from geminate.adapters.bigquery.tables import BigQueryTables, open_read_client

__all__ = ["BigQueryTables", "open_read_client"]
