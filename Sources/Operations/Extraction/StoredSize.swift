import Adapters
import ModelFamilies
import Tensors

/// Upper bounds of what tensors take in a file, header entry included.
struct StoredSize {
  private let storage: DType
  /// Digits of the largest offset.
  private let offsetDigits: Int

  init(of storage: DType, within limit: Int) {
    self.storage = storage
    offsetDigits = "\(limit)".utf8.count
  }

  var bytesPerElement: Int { storage.bitsPerElement / 8 }

  /// A tensor stored as it is.
  func whole(_ item: ExtractionPlan.Item, _ suffix: String) -> Int {
    entry(item, suffix, item.shape) + bytesPerElement * item.shape.count
  }

  /// The tensors of an option.
  func option(_ option: ExtractionOption, _ item: ExtractionPlan.Item) -> Int {
    option.tensors.reduce(option.byteCount) { $0 + entry(item, $1.suffix, $1.shape) }
  }

  /// The tensors that a module was given.
  func stored(_ found: Factorization, _ item: ExtractionPlan.Item) -> Int {
    found.factors.reduce(found.byteCount) { $0 + entry(item, $1.suffix, $1.tensor.shape) }
  }

  private func entry(_ item: ExtractionPlan.Item, _ suffix: String, _ shape: Shape) -> Int {
    let extents = shape.dimensions.map(String.init).joined(separator: ",")
    let name = item.module.adapterName
    // A name may hold characters that JSON escapes.
    let escapes = name.utf8.count { $0 < 0x20 || $0 == 0x22 || $0 == 0x5C }
    return #""\#(name).\#(suffix)":{"dtype":"BF16","shape":[\#(extents)],"data_offsets":[,]},"#.utf8
      .count
      + 5 * escapes + 2 * offsetDigits
  }
}
