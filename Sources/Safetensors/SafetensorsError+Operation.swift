extension SafetensorsError {
  /// What was being done to a file when the system refused.
  ///
  /// Its raw value is the verb.
  @nonexhaustive
  public enum Operation: String, Sendable {
    /// `open(2)`
    case open
    /// `stat(2)`
    case inspect
    /// `readdir(3)`
    case list
    /// `mmap(2)`
    case map
    /// `read(2)`
    case read
    /// Making a file or a folder.
    case create
    /// `write(2)`
    case write
    /// `fsync(2)`
    case sync
    /// `link(2)`
    case link
    /// `rename(2)`
    case rename
    /// `unlink(2)`
    case remove
  }
}
