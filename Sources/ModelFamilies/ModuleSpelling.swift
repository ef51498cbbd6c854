/// What tools leave in the dotted name of a module beside its path.
extension String {
  /// The name and, nearest first, what it is without the words of wrappers around a model: compilation, data
  /// parallelism, sharding, PEFT at any place, a root in a root, the attention processors of old diffusers.
  ///
  /// Sources: PEFT `peft_model.py`; diffusers `loaders/lora_conversion_utils.py` and, before 0.20,
  /// `models/attention_processor.py`; ComfyUI `lora.py`, `model_lora_keys_unet`.
  var spellings: [String] {
    let words = split(separator: ".", omittingEmptySubsequences: false)
    guard words.count > 1 else { return [self] }
    // Most names have one spelling, and are looked at once for each family.
    guard
      Self.roots.contains(words[0]) || words[0].contains("/")
        || words.contains(where: Self.special.contains)
    else { return [self] }
    var found = [self]
    func add(_ spelling: String) {
      if found.last != spelling { found.append(spelling) }
    }
    let unwrapped = withoutWrappers
    add(unwrapped)
    // A folder's name is no part of the path.
    let start = unwrapped.lastIndex(of: "/").map { unwrapped.index(after: $0) }
    let folder = unwrapped[..<(start ?? unwrapped.startIndex)]
    var parts = unwrapped[folder.endIndex...].split(
      separator: ".", omittingEmptySubsequences: false)
    func joined() -> String { folder + parts.joined(separator: ".") }
    if parts.replaceProcessor() { add(joined()) }
    while let index = parts.indices.dropLast(2).first(where: {
      parts[$0] == "base_model" && parts[$0 + 1] == "model"
    }) {
      parts.removeSubrange(index...index + 1)
    }
    add(joined())
    while parts.count > 2, Self.roots.contains(parts[0]),
      (Self.roots.contains(parts[1]) && parts[1] != "model") || parts[1].hasPrefix("text_encoder")
    {
      parts.removeFirst()
    }
    add(joined())
    return found
  }

  /// What stands for the whole model before the names of its modules.
  private static let roots: Set<Substring> = [
    "model", "pipe", "unet", "transformer", "diffusion_model",
  ]

  /// What wrappers around a model leave in its names: compilation, data parallelism, sharding, and the name of a PEFT
  /// adapter.
  private static let wrappers: Set<Substring> = [
    "_orig_mod", "module", "_fsdp_wrapped_module", "default",
  ]

  /// Words of a name with other spellings, beside roots and folders at its begin.
  private static let special: Set<Substring> = wrappers.union([
    "processor", "self_attn", "base_model",
  ])

  private var withoutWrappers: String {
    let parts = split(separator: ".", omittingEmptySubsequences: false)
    let kept = parts.filter { !Self.wrappers.contains($0) }
    return kept.count == parts.count ? self : kept.joined(separator: ".")
  }
}

extension [Substring] {
  /// `attn1.processor.to_out` becomes `attn1.to_out.0`; of text encoders, which have no processors,
  /// `self_attn.to_q` becomes `self_attn.q_proj`.
  fileprivate mutating func replaceProcessor() -> Bool {
    guard count > 2, let layer = last else { return false }
    let ofText: [Substring: Substring] = [
      "to_q": "q_proj", "to_k": "k_proj", "to_v": "v_proj", "to_out": "out_proj",
    ]
    if self[count - 2] == "processor" {
      remove(at: count - 2)
      if layer == "to_out" { append("0") }
      return true
    }
    if self[count - 2] == "self_attn", let name = ofText[layer] {
      self[count - 1] = name
      return true
    }
    return false
  }
}
