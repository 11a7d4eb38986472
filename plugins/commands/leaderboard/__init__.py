"""``segbench leaderboard``: rank records, as text or as a page."""
