"""The pages that officials use, in Vietnamese and English: plain HTML that works without a script.

A page asks the same functions as the API does, writes through the same store functions, and shows nothing that its
reader could not ask the API for.
"""
