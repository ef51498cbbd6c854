import CPlatform

/// How wide what people read may be.
package enum Terminal {
  /// Of a stream that is no terminal.
  package static let usualWidth = 80

  /// Columns of the terminal that standard error is; nil if it is none.
  package static var errorWidth: Int? { width(of: 2) }
  /// Columns of the terminal that standard output is; nil if it is none.
  package static var outputWidth: Int? { width(of: 1) }

  private static func width(of stream: Int32) -> Int? {
    let columns = lyco_terminal_columns(stream)
    return columns < 0 ? nil : columns == 0 ? usualWidth : Int(columns)
  }
}
