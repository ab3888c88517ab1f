"""SM2, SM3 and SM4 as their standards tell them, over Python's integers: slow and easy to read.

Nothing is computed beforehand, nothing in parallel, and how long it takes tells secrets. This is
the traditional scheme that the design compares itself with.
"""
