package sqlitequeue

// takeOwner does nothing: files have the rights of their directory.
func takeOwner(string, string) error { return nil }
