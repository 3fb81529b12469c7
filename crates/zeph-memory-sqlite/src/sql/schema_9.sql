-- Version 9: the view of the tasks marks those that an amendment took out.

PRAGMA user_version = 9;
