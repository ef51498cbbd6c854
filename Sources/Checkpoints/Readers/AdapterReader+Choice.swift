package import Adapters
package import ModelFamilies
package import Tensors

extension AdapterReader {
  /// Programs for which adapters are spelled as a format has it, those alone that have the family.
  package static func readers(of format: AdapterFormat, _ family: ModelFamily?) -> [AdapterReader] {
    all.filter { reader in
      [.own, .shared].contains(reader.namings[format]) && reader.has(family)
    }
  }

  /// What is to be said before an adapter is written.
  ///
  /// Of the program that is asked for everything. Otherwise what the program makes of it for whose sake names
  /// are spelled so, and of those that share them what they read as other numbers: what a program does not
  /// have at all is no fault of a file for several.
  /// - Parameters:
  ///   - reader: the program that is asked for.
  ///   - command: whose options a remedy names; nil where that is the tool which says it.
  package static func warnings(
    on modules: [ReadModule], as format: AdapterFormat, of family: ModelFamily?,
    for reader: AdapterReader?, command: String? = nil
  ) -> [String] {
    let findings =
      reader.map { $0.findings(in: modules, as: format, of: family) }
      ?? readers(of: format, family).flatMap { reader in
        reader.findings(in: modules, as: format, of: family).filter {
          reader.namings[format] == .own || $0.verdict == .wrong
        }
      }
    return ReadingFinding.texts(of: findings, command: command)
  }

  /// Whether DoRA is to have magnitudes of inputs: where a program takes those alone.
  package static func takesInputMagnitudes(
    _ reader: AdapterReader?, format: AdapterFormat, _ family: ModelFamily?
  ) -> Bool {
    let readers = reader.map { [$0] } ?? readers(of: format, family)
    return readers.contains {
      $0.reads(.inputMagnitudes, as: format, of: family)
        && !$0.reads(.outputMagnitudes, as: format, of: family)
    }
  }

  /// Whose magnitudes of DoRA it reads in its own names, those of inputs where it reads both; nil for none.
  package func magnitudes(of family: ModelFamily?) -> WeightDecomposition<Tensor>.Axis? {
    let format = format(for: family)
    return reads(.inputMagnitudes, as: format, of: family)
      ? .inputs : reads(.outputMagnitudes, as: format, of: family) ? .outputs : nil
  }

  /// Whether it reads whole what an algorithm stores.
  package func reads(_ algorithm: String) -> Bool { verdicts[algorithm] == .whole }

  /// Whether a module's name alone makes it take nothing of the file, or pass over the module whatever is done to it.
  package func passesOver(
    _ name: String, as format: AdapterFormat, of family: ModelFamily?
  ) -> Bool {
    let module = ReadModule(name: name, algorithm: "", traits: [])
    return rows.contains {
      $0.isAboutNames && ($0.verdict == .refused || $0.verdict == .not && $0.remedy == nil)
        && $0.covers(module, format, family)
    }
  }

  /// Whether it reads LoRA of some kind whole.
  package func reads(
    _ trait: ModuleTrait, as format: AdapterFormat, of family: ModelFamily?
  ) -> Bool {
    let module = ReadModule(name: "", algorithm: "lora", traits: [trait])
    // Rows about names say nothing of a kind of module.
    return has(family) && namings[format] != nil && reads(module.algorithm)
      && !rows.contains {
        $0.names == nil && $0.outside == nil && $0.covers(module, format, family)
      }
  }
}
