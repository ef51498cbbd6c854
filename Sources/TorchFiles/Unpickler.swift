import Tensors

/// A stack machine for the part of Python's pickle language (protocols 2 to 5) that state dicts need.
///
/// It makes containers, numbers, texts and descriptions of tensors; it has no operation that imports,
/// calls or opens anything. What it does not know it refuses by name. Its memory is bounded by
/// `mostOperations`, and nothing is allocated by a length before as many bytes are known to exist.
struct Unpickler: ~Escapable {
  /// Of one pickle: some 45 a tensor, so eleven thousand tensors.
  static let mostOperations = 1 << 19
  /// Tuples, lists and dicts, each of which takes memory of its own: some 26,000 tensors have as many.
  private static let mostContainers = 1 << 17
  /// What looking up a name costs in operations. Every name is looked up once and then remembered.
  private static let nameCost = 16
  /// Of `copies`.
  static let mostCopies = 1 << 20
  /// Of a global or of a storage's key, in bytes.
  static let longestName = 512
  /// Of one pickle, in bytes.
  static let longestPickle = 64 << 20

  let bytes: Span<UInt8>
  private(set) var position = 0
  /// Where the operation being run begins.
  private(set) var operation = 0
  var pickle = Pickle()
  var stack: [PickleValue] = []
  /// Heights of the stack where its open marks are.
  private var marks: [Int] = []
  private var memo: [PickleValue?] = []
  private var operations = 0
  /// Storages by key.
  var storages: [String: UInt32] = [:]
  /// Axes of tensors and items of dicts that were copied; neither costs operations.
  var copies = 0

  /// - Parameter bytes: from the pickle's start; what follows its end is ignored.
  @_lifetime(copy bytes)
  init(_ bytes: Span<UInt8>) {
    self.bytes = bytes.extracting(first: min(bytes.count, Self.longestPickle))
  }

  /// Runs to the end of the pickle.
  /// - Throws: `truncated`, `opcode`, `global`, `malformed`, `limit`
  @_lifetime(self: copy self)
  mutating func run() throws(TorchFileError) -> Pickle {
    while operations < Self.mostOperations {
      operations += 1
      operation = position
      let code = try byte()
      guard code != 0x2E else {  // STOP
        pickle.root = try pop()
        pickle.end = position
        return pickle
      }
      try step(code)
    }
    throw .limit("operations", Self.mostOperations)
  }

  // MARK: Reading

  func malformed(_ expected: String) -> TorchFileError {
    .malformed(offset: operation, expected: expected)
  }

  @_lifetime(self: copy self)
  private mutating func byte() throws(TorchFileError) -> UInt8 { UInt8(try number(1)) }

  /// A number of `width` bytes.
  @_lifetime(self: copy self)
  private mutating func number(_ width: Int) throws(TorchFileError) -> UInt64 {
    guard let number = bytes.littleEndian(width, at: position) else { throw endOfBytes() }
    position += width
    return number
  }

  private func endOfBytes() -> TorchFileError {
    bytes.count == Self.longestPickle
      ? .limit("bytes", Self.longestPickle) : .truncated(offset: bytes.count)
  }

  /// Passes over bytes whose number stands before them in `width` bytes.
  @_lifetime(self: copy self)
  private mutating func counted(_ width: Int) throws(TorchFileError) -> Range<Int> {
    let length = try number(width)
    guard length <= UInt64(bytes.count - position) else { throw endOfBytes() }
    let range = position..<position + Int(length)
    position = range.upperBound
    return range
  }

  @_lifetime(self: copy self)
  private mutating func text(_ width: Int) throws(TorchFileError) -> PickleValue {
    let range = try counted(width)
    return .text(start: UInt32(range.lowerBound), count: UInt32(range.count))
  }

  /// The text up to the end of the line.
  @_lifetime(self: copy self)
  private mutating func line() throws(TorchFileError) -> String {
    var end = position
    while end < bytes.count, bytes[end] != 0x0A {
      guard end - position < Self.longestName else { throw malformed("a name") }
      end += 1
    }
    guard end < bytes.count else { throw endOfBytes() }
    defer { position = end + 1 }
    return bytes.text(position..<end)
  }

  /// A signed number of any length; one that is too long for an `Int` is of no use here.
  @_lifetime(self: copy self)
  private mutating func long() throws(TorchFileError) -> PickleValue {
    let range = try counted(1)
    guard range.count <= 8 else { return .opaque }
    let bits = bytes.littleEndian(range.count, at: range.lowerBound) ?? 0
    let unused = 64 - 8 * UInt64(range.count)
    return .int(unused == 64 ? 0 : Int(Int64(bitPattern: bits << unused) >> unused))
  }

  // MARK: Stack

  @_lifetime(self: copy self)
  mutating func pop() throws(TorchFileError) -> PickleValue {
    guard stack.count > marks.last ?? 0, let value = stack.popLast() else {
      throw malformed("a value on the stack")
    }
    return value
  }

  /// Where the values above the last mark begin; the mark goes.
  @_lifetime(self: copy self)
  private mutating func popMark() throws(TorchFileError) -> Int {
    guard let mark = marks.popLast() else { throw malformed("a mark on the stack") }
    return mark
  }

  /// Where the last `count` values begin.
  private func place(of count: Int) throws(TorchFileError) -> Int {
    guard stack.count - (marks.last ?? 0) >= count else { throw malformed("\(count) values") }
    return stack.count - count
  }

  /// The values from there on.
  @_lifetime(self: copy self)
  private mutating func pop(from start: Int) -> [PickleValue] {
    defer { stack.removeSubrange(start...) }
    return Array(stack[start...])
  }

  @_lifetime(self: copy self)
  private mutating func recall(_ index: UInt64) throws(TorchFileError) {
    guard index < memo.count, let value = memo[Int(index)] else {
      throw malformed("a value under \(index)")
    }
    stack.append(value)
  }

  @_lifetime(self: copy self)
  private mutating func remember(as index: UInt64) throws(TorchFileError) {
    guard stack.count > marks.last ?? 0, let value = stack.last else {
      throw malformed("a value on the stack")
    }
    // Numbers are given in order, by Python 2's fast pickler from 1 on.
    guard index <= memo.count + 1 else { throw malformed("memo numbers in order") }
    if index > memo.count { memo.append(nil) }
    if index == memo.count { memo.append(value) } else { memo[Int(index)] = value }
  }

  // MARK: Operations

  @_lifetime(self: copy self)
  private mutating func step(_ code: UInt8) throws(TorchFileError) {
    switch code {
    case 0x80:  // PROTO
      let version = try byte()
      guard (2...5).contains(version) else { throw malformed("protocol 2 to 5") }
    case 0x95:  // FRAME
      guard try number(8) <= UInt64(bytes.count - position) else { throw endOfBytes() }
    case 0x28: marks.append(stack.count)  // MARK
    case 0x71: try remember(as: number(1))  // BINPUT
    case 0x72: try remember(as: number(4))  // LONG_BINPUT
    case 0x94: try remember(as: UInt64(memo.count))  // MEMOIZE
    case 0x68: try recall(number(1))  // BINGET
    case 0x6A: try recall(number(4))  // LONG_BINGET

    case 0x4E: stack.append(.none)
    case 0x88: stack.append(.bool(true))
    case 0x89: stack.append(.bool(false))
    case 0x4B: stack.append(.int(Int(try number(1))))  // BININT1
    case 0x4D: stack.append(.int(Int(try number(2))))  // BININT2
    case 0x4A: stack.append(.int(Int(Int32(truncatingIfNeeded: try number(4)))))  // BININT
    case 0x8A: stack.append(try long())  // LONG1
    case 0x47: stack.append(.float(Double(bitPattern: try number(8).byteSwapped)))  // BINFLOAT
    case 0x8C, 0x55: stack.append(try text(1))  // SHORT_BINUNICODE, SHORT_BINSTRING
    case 0x58, 0x54: stack.append(try text(4))  // BINUNICODE, BINSTRING
    case 0x8D: stack.append(try text(8))  // BINUNICODE8
    case 0x43: try skip(1)  // SHORT_BINBYTES
    case 0x42: try skip(4)  // BINBYTES
    case 0x8E, 0x96: try skip(8)  // BINBYTES8, BYTEARRAY8

    case 0x29: try appendSequence([], as: PickleValue.tuple)  // EMPTY_TUPLE
    case 0x85: try appendSequence(pop(from: try place(of: 1)), as: PickleValue.tuple)
    case 0x86: try appendSequence(pop(from: try place(of: 2)), as: PickleValue.tuple)
    case 0x87: try appendSequence(pop(from: try place(of: 3)), as: PickleValue.tuple)
    case 0x74: try appendSequence(pop(from: try popMark()), as: PickleValue.tuple)  // TUPLE
    case 0x5D, 0x8F: try appendSequence([], as: PickleValue.list)  // EMPTY_LIST, EMPTY_SET
    case 0x91: try appendSequence(pop(from: try popMark()), as: PickleValue.list)  // FROZENSET
    case 0x61: try extend(from: place(of: 1))  // APPEND
    case 0x65, 0x90: try extend(from: popMark())  // APPENDS, ADDITEMS
    case 0x7D: try appendDict()  // EMPTY_DICT
    case 0x73: try setItems(from: place(of: 2))  // SETITEM
    case 0x75: try setItems(from: popMark())  // SETITEMS

    case 0x63:  // GLOBAL
      let module = try line()
      try appendGlobal("\(module).\(line())")
    case 0x93:  // STACK_GLOBAL
      guard case .text(let name, let nameCount) = try pop(),
        case .text(let module, let moduleCount) = try pop()
      else { throw malformed("two names") }
      guard max(nameCount, moduleCount) <= Self.longestName else { throw malformed("a name") }
      try appendGlobal("\(text(module, moduleCount)).\(text(name, nameCount))")
    case 0x52, 0x81:  // REDUCE, NEWOBJ
      let arguments = try pop()
      try reduce(pop(), arguments)
    case 0x62: try build(pop())  // BUILD
    case 0x51: try persistent(pop())  // BINPERSID
    default: throw .opcode(code, offset: operation)
    }
  }

  func text(_ start: UInt32, _ count: UInt32) -> String {
    bytes.text(Int(start)..<Int(start) + Int(count))
  }

  @_lifetime(self: copy self)
  private mutating func skip(_ width: Int) throws(TorchFileError) {
    _ = try counted(width)
    stack.append(.opaque)
  }

  @_lifetime(self: copy self)
  private mutating func appendGlobal(_ name: String) throws(TorchFileError) {
    operations += Self.nameCost
    guard let global = PickleGlobal(name) else { throw .global(name) }
    stack.append(.global(global))
  }
}

// MARK: - Containers

extension Unpickler {
  @_lifetime(self: copy self)
  mutating func appendSequence(
    _ values: [PickleValue], as kind: (UInt32) -> PickleValue
  ) throws(TorchFileError) {
    try countContainer()
    stack.append(kind(UInt32(pickle.sequences.count)))
    pickle.sequences.append(values)
  }

  @_lifetime(self: copy self)
  mutating func appendDict() throws(TorchFileError) {
    try countContainer()
    stack.append(.dict(UInt32(pickle.dicts.count)))
    pickle.dicts.append([])
  }

  private func countContainer() throws(TorchFileError) {
    guard pickle.sequences.count + pickle.dicts.count < Self.mostContainers else {
      throw .limit("containers", Self.mostContainers)
    }
  }

  /// Adds the values from `start` on to the list below them; what goes into a value that is passed
  /// over is, too.
  @_lifetime(self: copy self)
  private mutating func extend(from start: Int) throws(TorchFileError) {
    switch try container(below: start) {
    case .list(let index): pickle.sequences[Int(index)] += stack[start...]
    case .opaque: break
    default: throw malformed("a list")
    }
    stack.removeSubrange(start...)
  }

  @_lifetime(self: copy self)
  private mutating func setItems(from start: Int) throws(TorchFileError) {
    guard (stack.count - start).isMultiple(of: 2) else {
      throw malformed("pairs of key and value")
    }
    switch try container(below: start) {
    case .dict(let index):
      let pairs = stride(from: start, to: stack.count, by: 2)
      pickle.dicts[Int(index)] += pairs.map { (stack[$0], stack[$0 + 1]) }
    case .opaque: break
    default: throw malformed("a dict")
    }
    stack.removeSubrange(start...)
  }

  private func container(below start: Int) throws(TorchFileError) -> PickleValue {
    guard start > marks.last ?? 0 else { throw malformed("a container on the stack") }
    return stack[start - 1]
  }
}
