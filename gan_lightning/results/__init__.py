"""Claims, the records of measured results, and the page made of them."""
