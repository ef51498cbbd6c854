/// The named tensors of a pickle, and what it says beside them.
struct StateDict {
  /// In the order of the dicts.
  private(set) var tensors: [(name: String, tensor: Int)] = []
  /// Texts and numbers at the top.
  private(set) var metadata: [String: String] = [:]

  private static let deepestNesting = 64
  private static let longestName = 4096
  private static let mostNameBytes = 16 << 20
  private static let mostMetadataBytes = 1 << 20
  /// Elements looked at; values that are shared count each time.
  private static let mostElements = 1 << 22

  /// Dicts that hold the weights of a training state, best first.
  private static let wrappers = ["state_dict", "params_ema", "params", "model", "module", "lora"]
  /// What such a state holds beside them.
  private static let besides: Set<String> = [
    "optimizer", "optimizers", "optimizer_states", "optimizer_state_dict", "ema", "model_ema",
    "params", "params_ema", "lr_scheduler", "lr_schedulers", "scheduler", "scaler", "callbacks",
    "loops", "rng_state", "rng_states", "cuda_rng_state",
  ]

  private let pickle: Pickle
  /// Which of the containers hold tensors directly.
  private let dictsWithTensors: [Bool]
  private let sequencesWithTensors: [Bool]
  private var elements = 0
  private var nameBytes = 0
  private var metadataBytes = 0

  /// Dicts in dicts get names joined by dots; of lists the elements are numbered.
  /// - Throws: `limit`, `tensor`
  init(_ pickle: Pickle, _ bytes: Span<UInt8>) throws(TorchFileError) {
    self.pickle = pickle
    dictsWithTensors = pickle.dicts.map { $0.contains { $0.value.isTensor } }
    sequencesWithTensors = pickle.sequences.map { $0.contains(where: \.isTensor) }
    var root = pickle.root
    readMetadata(root, bytes)
    for _ in 0..<3 {
      guard let wrapped = wrapped(root, bytes) else { break }
      root = wrapped
    }
    try walk(root, "", 0, bytes)
  }

  private func items(_ value: PickleValue) -> [(key: PickleValue, value: PickleValue)]? {
    switch value {
    case .dict(let index): pickle.dicts[Int(index)]
    default: nil
    }
  }

  private func key(_ value: PickleValue, _ bytes: Span<UInt8>) throws(TorchFileError) -> String? {
    switch value {
    case .text(let start, let count):
      guard count <= Self.longestName else { throw .limit("bytes in a name", Self.longestName) }
      return bytes.text(Int(start)..<Int(start) + Int(count))
    case .int(let number): return String(number)
    default: return nil
    }
  }

  /// Whether a value is a tensor or a container with one directly in it.
  private func holdsTensors(_ value: PickleValue) -> Bool {
    switch value {
    case .tensor, .module: true
    case .dict(let index): dictsWithTensors[Int(index)]
    case .tuple(let index), .list(let index): sequencesWithTensors[Int(index)]
    default: false
    }
  }

  /// The weights of a training state; nil if a dict is none.
  private func wrapped(_ value: PickleValue, _ bytes: Span<UInt8>) -> PickleValue? {
    var dicts: [String: PickleValue] = [:]
    var isAlone = true
    for item in items(value) ?? [] where holdsTensors(item.value) {
      let name = shortText(item.key, bytes)
      if let name, Self.wrappers.contains(name), case .dict = item.value {
        dicts[name] = item.value
      } else if name.map({ !Self.besides.contains($0) }) ?? true {
        isAlone = false
      }
    }
    if let weights = dicts["state_dict"] { return weights }
    return isAlone ? Self.wrappers.lazy.compactMap { dicts[$0] }.first : nil
  }

  /// A key that may have a meaning.
  private func shortText(_ value: PickleValue, _ bytes: Span<UInt8>) -> String? {
    guard case .text(let start, let count) = value, count <= 32 else { return nil }
    return bytes.text(Int(start)..<Int(start) + Int(count))
  }

  private mutating func readMetadata(_ root: PickleValue, _ bytes: Span<UInt8>) {
    for item in items(root) ?? [] {
      guard let name = shortText(item.key, bytes), metadata[name] == nil,
        let text = scalar(item.value, bytes)
      else { continue }
      metadataBytes += name.utf8.count + text.utf8.count
      guard metadataBytes <= Self.mostMetadataBytes else { return }
      metadata[name] = text
    }
  }

  private func scalar(_ value: PickleValue, _ bytes: Span<UInt8>) -> String? {
    switch value {
    case .text(let start, let count) where count <= Self.longestName:
      bytes.text(Int(start)..<Int(start) + Int(count))
    case .int(let number): String(number)
    case .float(let number): String(number)
    case .bool(let flag): flag ? "True" : "False"
    default: nil
    }
  }

  private mutating func walk(
    _ value: PickleValue, _ name: String, _ depth: Int, _ bytes: Span<UInt8>
  ) throws(TorchFileError) {
    func inner(_ part: String) -> String { name.isEmpty ? part : "\(name).\(part)" }
    guard depth <= Self.deepestNesting else {
      throw .limit("levels of nesting", Self.deepestNesting)
    }
    guard name.utf8.count <= Self.longestName else {
      throw .limit("bytes in a name", Self.longestName)
    }
    nameBytes += name.utf8.count
    guard nameBytes <= Self.mostNameBytes else {
      throw .limit("bytes in names", Self.mostNameBytes)
    }
    switch value {
    case .tensor(let index):
      guard !name.isEmpty else { return }
      tensors.append((name, Int(index)))
    case .dict(let index):
      for item in pickle.dicts[Int(index)] where try isContainer(item.value) {
        // Nothing that counts stands under another kind of key.
        guard let key = try key(item.key, bytes) else { continue }
        try walk(item.value, inner(key), depth + 1, bytes)
      }
    case .list(let index), .tuple(let index):
      for (i, element) in pickle.sequences[Int(index)].enumerated()
      where try isContainer(element) {
        try walk(element, inner(String(i)), depth + 1, bytes)
      }
    case .module(let index):
      for item in items(pickle.modules[Int(index)]) ?? [] {
        guard try key(item.key, bytes) == "_parameters" else { continue }
        try walk(item.value, name, depth + 1, bytes)
      }
    default: break
    }
  }

  /// Counts an element as looked at.
  private mutating func isContainer(_ value: PickleValue) throws(TorchFileError) -> Bool {
    elements += 1
    guard elements <= Self.mostElements else { throw .limit("elements", Self.mostElements) }
    switch value {
    case .tensor, .dict, .list, .tuple, .module: return true
    default: return false
    }
  }
}
