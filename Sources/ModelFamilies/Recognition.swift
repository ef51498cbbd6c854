import Tensors

/// The family whose signs a checkpoint bears.
struct Recognition {
  /// The family with the most signs; `nil` if no family has one, or all are contradicted.
  private(set) var definition: FamilyDefinition?
  /// The signs found, or why no family fits.
  private(set) var evidence: [String] = []

  init(of checkpoint: CheckpointKeys) {
    var best: [String] = []
    var rivals: [String] = []
    var contradictions: [String] = []
    for candidate in FamilyDefinition.all {
      let signs = Recognition.signs(of: candidate, in: checkpoint)
      if let contradiction = signs.against.first {
        contradictions.append("not \(contradiction)")
      } else if let part = signs.part {
        contradictions.append(
          "not \(candidate.name): nothing but its \(part), which other models may have too")
      } else if signs.for.count > best.count {
        best = signs.for
        rivals = []
        definition = candidate
      } else if !best.isEmpty, signs.for.count == best.count {
        rivals.append(candidate.name)
      }
    }
    if definition != nil {
      evidence = best
      if !rivals.isEmpty { evidence.append("a part that \(rivals.joined(separator: ", ")) share") }
    } else if contradictions.isEmpty {
      evidence = ["no key is a sign of a known family"]
    } else {
      evidence = contradictions
    }
  }

  /// The signs of the family that the checkpoint bears, and those that speak against it.
  /// - Returns: as `part` the autoencoder, where all that speaks for the family is in it and the checkpoint is more.
  static func signs(
    of definition: FamilyDefinition, in checkpoint: CheckpointKeys
  ) -> (for: [String], against: [String], part: String?) {
    var found: [String] = []
    var against: [String] = []
    var parts: Set<String> = []
    for sign in definition.signs {
      guard let (key, shape, prefix) = Recognition.first(of: sign, definition, in: checkpoint)
      else {
        continue
      }
      guard sign.axis < shape.dimensions.count else { continue }
      let extent = shape.dimensions[sign.axis]
      if sign.extents.contains(extent) {
        let component = definition.components.first { $0.name == sign.component }
        let isPart =
          component?.role == .autoencoder
          && !checkpoint.tensors.allSatisfy { $0.key.hasPrefix(prefix) }
        parts.insert(isPart ? sign.component : "")
        found.append(
          "'\(key)' has shape \(shape): \(extent) at axis \(sign.axis) as in \(definition.name)")
      } else {
        let expected = sign.extents.map(String.init).joined(separator: " or ")
        against.append(
          "\(definition.name): '\(key)' has shape \(shape), expected \(expected) at axis \(sign.axis)"
        )
      }
    }
    for key in definition.absent ?? [] {
      for prefix in definition.components[0].layouts.flatMap(\.keys)
      where checkpoint.positions[prefix + key] != nil {
        against.append("\(definition.name): has '\(prefix + key)'")
      }
    }
    return (found, against, parts.count == 1 ? parts.first.flatMap { $0.isEmpty ? nil : $0 } : nil)
  }

  /// The first tensor of the checkpoint that is the sign's, in any spelling of its component.
  private static func first(
    of sign: FamilyDefinition.Sign, _ definition: FamilyDefinition, in checkpoint: CheckpointKeys
  ) -> (key: String, shape: Shape, prefix: String)? {
    for component in definition.components where component.name == sign.component {
      for layout in component.layouts {
        for name in sign.keys {
          let inserted = layout.inserting ?? ""
          guard name.hasPrefix(inserted) else { continue }
          for prefix in layout.keys {
            let key = prefix + name.dropFirst(inserted.count)
            if let shape = checkpoint.shape(key) { return (key, shape, prefix) }
          }
        }
      }
    }
    return nil
  }
}
