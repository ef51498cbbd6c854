import Tensors

extension Unpickler {
  /// What calling a global would make, if it is among those that state dicts use.
  @_lifetime(self: copy self)
  mutating func reduce(
    _ callee: PickleValue, _ arguments: PickleValue
  ) throws(TorchFileError) {
    if case .opaque = callee {
      stack.append(.opaque)
      return
    }
    guard case .global(let global) = callee else { throw malformed("a known function or class") }
    guard case .tuple(let index) = arguments else { throw malformed("a tuple of arguments") }
    let values = pickle.sequences[Int(index)]
    switch global {
    case .orderedDict: try appendOrderedDict(values)
    case .defaultDict: try appendDict()
    case .rebuildTensor, .rebuildTensor2, .rebuildTensor3: try appendTensor(global, values)
    case .rebuildParameter:
      guard case .tensor? = values.first else { throw malformed("a tensor for a parameter") }
      stack.append(values[0])
    case .rebuildFromType:
      guard values.count == 4, case .global(let function) = values[0],
        case .tuple(let index) = values[2]
      else { throw malformed("a tensor with attributes") }
      try appendTensor(function, pickle.sequences[Int(index)])
    case .size:
      guard values.count == 1, case .tuple(let index) = values[0] else {
        throw malformed("extents")
      }
      stack.append(.tuple(index))
    case .parameters:
      stack.append(.module(UInt32(pickle.modules.count)))
      pickle.modules.append(.none)
    case .opaque: stack.append(.opaque)
    case .storage, .dtype: throw malformed("a known function or class")
    }
  }

  /// Without arguments, or with a list of pairs as Python 2 wrote it.
  @_lifetime(self: copy self)
  private mutating func appendOrderedDict(_ values: [PickleValue]) throws(TorchFileError) {
    try appendDict()
    guard let first = values.first else { return }
    guard values.count == 1, case .list(let index) = first else {
      throw malformed("a list of pairs")
    }
    var items: [(key: PickleValue, value: PickleValue)] = []
    try countCopies(pickle.sequences[Int(index)].count)
    for item in pickle.sequences[Int(index)] {
      guard let pair = sequence(item), pair.count == 2 else { throw malformed("a pair") }
      items.append((pair[0], pair[1]))
    }
    pickle.dicts[pickle.dicts.count - 1] = items
  }

  /// One list may be the argument of many calls, so that what they make is counted.
  @_lifetime(self: copy self)
  private mutating func countCopies(_ count: Int) throws(TorchFileError) {
    copies += count
    guard copies <= Self.mostCopies else { throw .limit("shared items", Self.mostCopies) }
  }

  private func sequence(_ value: PickleValue) -> [PickleValue]? {
    switch value {
    case .tuple(let index), .list(let index): pickle.sequences[Int(index)]
    default: nil
    }
  }

  /// `(storage, offset, size, stride, requires_grad, backward_hooks, metadata)`; the third version
  /// has the format before the metadata, the first ends with the strides. Source: torch
  /// `_utils.py`.
  @_lifetime(self: copy self)
  private mutating func appendTensor(
    _ function: PickleGlobal, _ values: [PickleValue]
  ) throws(TorchFileError) {
    let isThird: Bool
    switch function {
    case .rebuildTensor, .rebuildTensor2: isThird = false
    case .rebuildTensor3: isThird = true
    default: throw malformed("a function that rebuilds a tensor")
    }
    guard values.count >= (isThird ? 7 : 4), case .storage(let storage) = values[0],
      case .int(let offset) = values[1], let extents = integers(values[2]),
      let strides = integers(values[3])
    else { throw malformed("storage, offset, extents and strides of a tensor") }
    var dtype = pickle.storages[Int(storage)].dtype
    if isThird {
      guard case .global(.dtype(let stated)) = values[6] else { throw malformed("a dtype") }
      // A storage with a format of its own must be of this one.
      guard dtype == nil || dtype == stated else { throw malformed("the dtype of the storage") }
      dtype = stated
    }
    var isLazy = false
    let metadata = isThird ? 7 : 6
    if values.count > metadata, case .dict(let index) = values[metadata] {
      isLazy = !pickle.dicts[Int(index)].isEmpty
    }
    try countCopies(1 + extents.count)
    stack.append(.tensor(UInt32(pickle.tensors.count)))
    pickle.tensors.append(
      Pickle.Tensor(
        storage: storage, dtype: dtype,
        layout: StridedLayout(offset: offset, extents: extents, strides: strides), isLazy: isLazy))
  }

  private func integers(_ value: PickleValue) -> [Int]? {
    guard let values = sequence(value), values.count <= StridedLayout.mostAxes else { return nil }
    var integers: [Int] = []
    for value in values {
      guard case .int(let integer) = value else { return nil }
      integers.append(integer)
    }
    return integers
  }

  /// The attributes of the value on top of the stack.
  @_lifetime(self: copy self)
  mutating func build(_ state: PickleValue) throws(TorchFileError) {
    let target = try pop()
    stack.append(target)
    switch target {
    case .module(let index): pickle.modules[Int(index)] = state
    // `state_dict()` gives its dict an attribute `_metadata`.
    case .dict, .opaque: break
    default: throw malformed("a dict or a known object")
    }
  }

  /// `('storage', type, key, location, number of elements)`, in files before 1.6 with a sixth part
  /// for views of storages, None since 0.4.
  @_lifetime(self: copy self)
  mutating func persistent(_ identifier: PickleValue) throws(TorchFileError) {
    guard case .tuple(let index) = identifier else { throw malformed("a storage") }
    let values = pickle.sequences[Int(index)]
    guard let first = values.first, case .text(let start, let count) = first,
      count == 7, text(start, count) == "storage"
    else { throw .unsupported(.pickledModule) }
    guard values.count >= 5, case .global(.storage(let dtype)) = values[1],
      case .text(let keyStart, let keyCount) = values[2], case .int(let elements) = values[4],
      elements >= 0, keyCount <= Self.longestName
    else { throw malformed("type, key and number of elements of a storage") }
    if values.count > 5 {
      guard case .none = values[5] else { throw malformed("a storage that is no view") }
    }
    let key = text(keyStart, keyCount)
    let storage = Pickle.Storage(key: key, dtype: dtype, count: elements)
    if let known = storages[key] {
      guard pickle.storages[Int(known)] == storage else {
        throw .storageConflict(key: key)
      }
      stack.append(.storage(known))
      return
    }
    storages[key] = UInt32(pickle.storages.count)
    stack.append(.storage(UInt32(pickle.storages.count)))
    pickle.storages.append(storage)
  }
}
