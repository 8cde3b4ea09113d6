"""Every read for people: the shapes of the contract, by queries that take no locks and never write."""
