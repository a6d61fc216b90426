"""Tables and views as SQL, made from the descriptions in `resources`. What does not belong here: running the SQL."""

from fullscript_pipeline.warehouse.schema.as_of_views import as_of, as_of_macro_sql, latest_view_sql
from fullscript_pipeline.warehouse.schema.table_ddl import table_ddl

__all__ = ["as_of", "as_of_macro_sql", "latest_view_sql", "table_ddl"]
