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
      algorithms[module.algorithmName, default: 0] += 1
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
    if isAsked, target.isReadInWindows { warnOfWindows(modules, target) }
    let inputs = modules.count {
      target.namesMagnitudesAsPEFT && $0.views["dora_scale"] != nil
    }
    if inputs > 0 {
      warnings.append(
        "\(inputs) modules have DoRA by inputs, which programs that read \(target.rawValue) do not "
          + "know; '--bake_dora --base FILE' multiplies it out")
    }
  }

  /// What ComfyUI, the web UIs and InvokeAI read otherwise than it is meant, or pass over.
  ///
  /// Sources: ComfyUI `weight_adapter/base.py`, `oft.py`; the web UI's `network.py`.
  private mutating func warnOfWindows(_ modules: [AdapterModule], _ target: AdapterFormat) {
    let outputs = modules.count(where: \.hasOutputMagnitudes)
    if outputs > 0 {
      warnings.append(
        "\(outputs) modules have DoRA by outputs, which ComfyUI, Forge, the A1111 web UI and InvokeAI read "
          + "wrongly; '--base CHECKPOINT' turns it into DoRA by inputs, '--bake_dora --base CHECKPOINT' "
          + "multiplies it out")
    }
    let inputs = modules.count { $0.magnitude != nil } - outputs
    if inputs > 0 {
      warnings.append(
        "\(inputs) modules have DoRA by inputs, which ComfyUI and the web UIs read, and PEFT, diffusers and "
          + "LyCORIS' own loader do not")
    }
    guard target == .comfy else { return }
    let rescaled = modules.count { $0.views["rescale"] != nil }
    if rescaled > 0 {
      warnings.append(
        "ComfyUI leaves out the factors of outputs (rescale) of \(rescaled) modules; '--algo lora --base "
          + "CHECKPOINT' turns them into what it reads")
    }
    let sparse = modules.count { $0.views["bias_values"] != nil }
    if sparse > 0 {
      warnings.append(
        "ComfyUI leaves out the sparse residuals of \(sparse) modules; '--algo full' keeps all of the change"
      )
    }
  }
}
