"""W1 in DuckDB, as far as SQL goes: the gap rule alone, all at once, one thread. Its outputs are not the same."""

import json
import sys

import duckdb

connection = duckdb.connect(config={"threads": 1})
row = connection.execute(
    """
    with before as (
        select home, time, device || ':' || action as action,
               lag(time) over w as last, lag(device || ':' || action) over w as previous
        from read_parquet(?) window w as (partition by home order by time)
    ), cut as (
        select *, last is null or time - last > interval 9 hours as begins from before
    ), pairs as (
        select home, previous, action, count(*) as times from cut where not begins group by all
    )
    select (select count(*) from cut where begins), (select sum(times) from pairs)
    """,
    [sys.argv[1]],
).fetchone()
print(json.dumps({"segments": row[0], "transitions": int(row[1])}))
