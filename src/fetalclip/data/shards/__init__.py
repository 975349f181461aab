"""Shards: prepared pictures and their facts in tar files as WebDataset names them, with an index of checksums.

`plan` decides which picture goes into which, `writing` writes, `reading` reads by number, `foreign` reads other
people's; `tar` and `sample` are the formats, `places` is where shards lie. See docs/shards.md.
"""
