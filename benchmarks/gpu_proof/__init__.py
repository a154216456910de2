"""The proof of `make gpu`: what has to hold on a GPU, one module a part.

(a) `equality`, (b) `waiting`, (c) `speed`, (d) `measures`, (e) `processes`. Each has `items`, which
lists what is measured; `record` stores the results, `page` writes the documentation page.
"""
