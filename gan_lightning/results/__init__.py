"""Claims, records of measured results, and the pages generated from them."""
