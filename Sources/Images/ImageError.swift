package import Machine

/// What is wrong with an image file.
package enum ImageError: Error, Equatable {
  case input(String, InputError)
  case empty(String)
  /// `found` says what it looks like.
  case notAnImage(String, found: String)
  /// An image, in a format that is not read.
  case notSupported(String, format: String)
  /// Of the right format, but broken; `detail` is the decoder's.
  case broken(String, format: String, detail: String)
  case tooLarge(String, width: Int, height: Int, limit: Int)
}

extension ImageError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .input(let file, let error): "\(file): \(error)"
    case .empty(let file): "\(file): expected an image, found an empty file"
    case .notAnImage(let file, let found):
      "\(file): expected a PNG, JPEG or WebP image, found \(found)"
    case .notSupported(let file, let format):
      "\(file): expected a PNG, JPEG or WebP image, found \(format), which is not supported; convert "
        + "it to one of these"
    case .broken(let file, let format, let detail):
      "\(file): expected a whole \(format) image, found a broken one: \(detail)"
    case .tooLarge(let file, let width, let height, let limit):
      "\(file): expected at most \(limit) pixels, found \(width)x\(height); \(DataLimits.remedy)"
    }
  }
}
