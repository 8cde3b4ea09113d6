"""`enroll demo`: the main job on sample leads, end to end, and whether everything adds up.

`leads.csv`: 5,000 people that do not exist, some of them twice, and 42 rows without a usable address.
`updates.csv`: 600 of them again in another layout, a quarter unchanged.
"""
