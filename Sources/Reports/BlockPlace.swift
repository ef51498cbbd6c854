/// Where a layer stands in a model, as far as its dotted name tells: in which block, and what it is there.
package struct BlockPlace: Hashable, Sendable {
  /// Of the model: `unet` (any denoiser), `te1`, …
  package let component: String
  /// `down_blocks`; empty for a layer in no block.
  package let group: String
  /// `1`; empty where a group has one block.
  package let number: String
  /// Within the block: `attn1.to_q`
  package let kind: String

  /// - Parameter path: as patterns see it: `down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q`
  package init(component: String, path: String) {
    self.component = component
    let parts = path.split(separator: ".").map(String.init)
    let first = parts.firstIndex(where: \.isNumber)
    // The one block in the middle has no number of its own.
    if let middle = parts.prefix(first ?? 0).firstIndex(where: { $0.hasPrefix("mid") }) {
      (group, number) = (parts[middle], "")
      kind = Self.kind(parts[(middle + 1)...])
    } else if let place = first, place > 0, place < parts.count - 1 {
      (group, number) = (parts[place - 1], parts[place])
      kind = Self.kind(parts[(place + 1)...])
    } else {
      (group, number) = ("", "")
      kind = path
    }
  }

  /// `down_blocks.1`; `others` for what lies in no block.
  package var block: String {
    group.isEmpty ? "others" : number.isEmpty ? group : "\(group).\(number)"
  }

  /// What is left without the numbered containers around it.
  private static func kind(_ parts: ArraySlice<String>) -> String {
    var rest = parts
    while true {
      let second = rest.dropFirst().first
      if rest.first?.isNumber ?? false, rest.count > 1 {
        rest = rest.dropFirst()
      } else if second?.isNumber ?? false, rest.count > 2 {
        rest = rest.dropFirst(2)
      } else {
        return rest.joined(separator: ".")
      }
    }
  }
}

extension String {
  fileprivate var isNumber: Bool { !isEmpty && utf8.allSatisfy { (0x30...0x39).contains($0) } }
}
