import Adapters
import Checkpoints
import ModelFamilies
import Safetensors
import Tensors

extension ConversionReport {
  /// Counts what is written, and says what readers of the format will not take.
  mutating func summarize(
    _ modules: [AdapterModule], _ spelling: AdapterSpelling, isAsked: Bool
  ) {
    let target = spelling.target
    to = target.rawValue
    alpha = spelling.policy.rawValue
    written = modules.count
    algorithms = [:]
    formats = [:]
    var unread: [String: Int] = [:]
    for module in modules {
      let name = module.algorithm.name
      algorithms[name, default: 0] += 1
      formats[module.factorFormat.rawValue, default: 0] += 1
      if !target.isRead(module.algorithm) { unread[name, default: 0] += 1 }
    }
    // What a file already was, and nobody asked to change, needs no warning.
    if !unread.isEmpty, isAsked {
      let list = unread.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
      let isTurned = unread.contains { $0.key != Norm.name }
      warnings.append(
        "programs that read \(target.rawValue) pass over \(list.joined(separator: " and ")) modules"
          + (isTurned ? "; '--algo lora' turns what is no norm into what they take" : ""))
    }
    let kinds = algorithms.keys
    if target == .peft, unread.isEmpty, kinds.count > 1 {
      warnings.append(
        "PEFT loads one algorithm at a time, and these are \(kinds.sorted().joined(separator: ", "))"
          + "; '--algo lora' makes them one")
    }
    let divided = target == .peft ? PEFTConfiguration.countOfOtherShapes(modules) : 0
    if divided > 0 {
      warnings.append(
        "PEFT divides weights by one factor, and \(divided) LoKr modules by others: it does not load "
          + "them; '--algo lora' turns them into what it loads")
    }
    if modules.contains(where: { $0.views.values.contains { $0.dtype.isFloat8 } }) {
      warnings.append("factors in 8 bit have two or three digits, and few programs load them")
    }
    let inputs = modules.count {
      target.namesMagnitudesAsPEFT && $0.views["dora_scale"] != nil
    }
    if inputs > 0 {
      warnings.append(
        "\(inputs) modules have DoRA by inputs, which programs that read \(target.rawValue) do not "
          + "know; '--bake_dora --base FILE' multiplies it out")
    }
  }
}
