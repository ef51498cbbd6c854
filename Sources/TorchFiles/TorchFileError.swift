/// Why a torch file cannot be read. The file is named by who opened it: `SafetensorsError.torch`.
///
/// Its description is one line that says what was expected, what was found and what to do. Cases may be
/// added.
@nonexhaustive
public enum TorchFileError: Error, Hashable, Sendable {
  // === Containers ===
  /// A kind of file that torch writes or that looks like it, but that holds no state dict.
  case unsupported(Unsupported)
  /// The central directory is not as it should be.
  case zipDirectory(String)
  /// An entry of the zip archive is not as torch writes it.
  case zipEntry(String, ZipFault)

  // === Pickles ===
  /// The pickle ends before its last operation.
  case truncated(offset: Int)
  /// An operation that no state dict needs.
  case opcode(UInt8, offset: Int)
  /// Something the pickle would have called or made.
  case global(String)
  /// An operation on values it does not fit.
  case malformed(offset: Int, expected: String)
  /// More of something than any state dict has.
  case limit(String, Int)

  // === Tensors ===
  /// Two tensors see one storage as different formats or sizes.
  case storageConflict(key: String)
  /// A storage of the old format has another number of elements than its tensors say, or than there
  /// are bytes for.
  case storageCount(key: String, expected: Int, found: Int)
  /// What is wrong with a tensor.
  case tensor(String, TensorFault)
  /// Nothing in it is a tensor with a name.
  case noTensors

  /// Kinds of files that hold no state dict as it is read here.
  @nonexhaustive
  public enum Unsupported: String, Sendable {
    /// A program.
    case torchScript
    /// A module with its code.
    case pickledModule
    /// Numbers of a machine of the other byte order.
    case bigEndian
    /// A zip archive that torch did not write.
    case otherZip
  }

  /// What is wrong with an entry of the zip archive.
  @nonexhaustive
  public enum ZipFault: Hashable, Sendable {
    /// Two entries have the name.
    case twice
    /// It needs a password.
    case encrypted
    /// It is packed, by the zip format's number of the method.
    case compressed(method: Int)
    /// It shares bytes with the entry of that name.
    case overlaps(String)
    /// Where the directory says is no entry.
    case noHeader(offset: Int)
    /// It ends behind the file.
    case beyondEnd(size: Int, available: Int)
  }

  /// What is wrong with a tensor.
  @nonexhaustive
  public enum TensorFault: Error, Hashable, Sendable {
    /// Two tensors would have the name.
    case twice
    /// The file has no such storage.
    case missingStorage(key: String)
    /// Its storage has another size than it says, in bytes.
    case storageSize(key: String, expected: Int, found: Int)
    /// Extents, strides or their number make no sense.
    case layout(shape: [Int], strides: [Int], offset: Int)
    /// The elements are not all in the storage.
    case beyondStorage(shape: [Int], strides: [Int], offset: Int, elements: Int)
    /// A lazily conjugated or negated view.
    case lazyView
    /// Its copy would take more than the file can have meant.
    case tooLarge(bytes: Int, limit: Int)
    /// Its format disagrees with that of its storage.
    case format
  }
}

extension TorchFileError: CustomStringConvertible {
  /// One line without the file: what was expected and found, what to do.
  public var description: String {
    switch self {
    case .unsupported(let kind): return kind.advice
    case .zipDirectory(let reason):
      return "zip archive: expected a directory of its entries, found \(reason)"
    case .zipEntry(let name, let fault):
      return "zip entry '\(name.escapedForLine)': \(fault)"
    case .truncated(let offset):
      return "pickle: truncated at byte \(offset)"
    case .opcode(let code, let offset):
      return
        "pickle: operation \(Opcode.name(of: code)) at byte \(offset) is none that a state dict"
        + " needs, and is not run; \(Self.advice)"
    case .global(let name):
      return "pickle: '\(name.escapedForLine)' is none of the types a state dict needs, and is not"
        + " loaded; \(Self.advice)"
    case .malformed(let offset, let expected):
      return "pickle: expected \(expected) at byte \(offset), found something else"
    case .limit(let what, let limit):
      return "pickle: expected at most \(limit) \(what), found more"
    case .storageConflict(let key):
      return "storage '\(key.escapedForLine)': expected one format and size, found two"
    case .storageCount(let key, let expected, let found):
      return "storage '\(key.escapedForLine)': expected \(expected) elements, found \(found)"
    case .tensor(let name, let fault):
      return "tensor '\(name.escapedForLine)': \(fault)"
    case .noTensors:
      return "expected a torch file with a dict of tensors, found none in it"
    }
  }

  private static let advice =
    "if you trust the file, load it with torch where it was made and save its state dict"
}

extension TorchFileError.Unsupported {
  fileprivate var advice: String {
    switch self {
    case .torchScript:
      "expected a state dict, found a TorchScript archive, which holds a program;"
        + " save the module's state_dict() with torch"
    case .pickledModule:
      "expected a state dict, found a module pickled with its code; save its state_dict() with torch"
    case .bigEndian:
      "expected little-endian numbers, found big-endian ones; load and save the file with torch"
    case .otherZip:
      "expected a torch file, found a zip archive without 'data.pkl'"
    }
  }
}

extension TorchFileError.ZipFault: CustomStringConvertible {
  /// What was expected and found.
  public var description: String {
    switch self {
    case .twice: "expected one entry of this name, found two"
    case .encrypted: "expected plain data, found it encrypted"
    case .compressed(let method):
      "expected stored data as torch writes it, found it compressed by method \(method);"
        + " unpack the archive and pack it without compression"
    case .overlaps(let other): "overlaps the entry '\(other.escapedForLine)'"
    case .noHeader(let offset): "expected its header at byte \(offset), found none"
    case .beyondEnd(let size, let available):
      "expected \(size) bytes, found room for \(available)"
    }
  }
}

extension TorchFileError.TensorFault: CustomStringConvertible {
  /// What was expected and found.
  public var description: String {
    switch self {
    case .twice: "expected one tensor of this name, found two"
    case .missingStorage(let key): "expected storage '\(key.escapedForLine)', found none"
    case .storageSize(let key, let expected, let found):
      "expected \(expected) bytes in storage '\(key.escapedForLine)', found \(found)"
    case .layout(let shape, let strides, let offset):
      "expected fewer than 2^56 elements, extents and strides from 0 on, found \(brief(shape)) with strides"
        + " \(brief(strides)) at \(offset)"
    case .beyondStorage(let shape, let strides, let offset, let elements):
      "expected all elements in a storage of \(elements), found \(brief(shape)) with strides"
        + " \(brief(strides)) at \(offset)"
    case .lazyView:
      "expected numbers as they are, found a lazily conjugated or negated view;"
        + " save it after resolve_conj() and resolve_neg()"
    case .tooLarge(let bytes, let limit):
      "expected tensors of \(limit) bytes together at most, found \(bytes) in this one"
    case .format: "expected one known format for tensor and storage, found another"
    }
  }

  private func brief(_ numbers: [Int]) -> String {
    numbers.count > 16 ? "\(numbers.count) numbers" : "\(numbers)"
  }
}
