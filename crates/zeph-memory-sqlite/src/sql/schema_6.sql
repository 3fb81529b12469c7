-- Version 6: the views have the items of lists.

PRAGMA user_version = 6;
