"""Prints the report: what the program that uses the second database would do."""

import sqlite3

for item, pieces, amount in sqlite3.connect("report.db").execute("SELECT item, pieces, amount FROM turnovers"):
    print(f"{item:8}{pieces:4}{amount:10.2f}")
