"""Who fits whom: the steps from a record to a ranked, explained match. Only `engine` knows their order."""
