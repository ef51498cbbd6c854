import Machine
import SystemPackage

extension DatasetConfiguration {
  /// Subsets of `--train_data_dir` and `--reg_data_dir`.
  ///
  /// Folders named `N_class` inside are taken as sd-scripts takes them. Where images lie in the folder
  /// itself, or in folders without a number, which sd-scripts passes over, each counts once.
  mutating func foldersOfCommandLine(
    _ defaults: DatasetDefaults
  ) throws(DatasetError) -> [SubsetSettings] {
    guard let train = defaults.trainFolder else { throw .nothingGiven }
    var subsets = try self.subsets(in: train, false, "--train_data_dir", defaults)
    if let folder = defaults.regularizationFolder {
      subsets += try self.subsets(in: folder, true, "--reg_data_dir", defaults)
    }
    return subsets
  }

  private mutating func subsets(
    in folder: FilePath, _ isRegularization: Bool, _ flag: String, _ defaults: DatasetDefaults
  ) throws(DatasetError) -> [SubsetSettings] {
    guard FileListing.isFolder(folder) else { throw .notAFolder(folder, flag: flag) }
    func subset(_ path: FilePath, repeats: Int?, classTokens: String?) -> SubsetSettings {
      var values = DatasetValues()
      values.imageDir = path.text
      values.numRepeats = repeats
      values.isReg = isRegularization
      values.classTokens = classTokens
      return Self.subset([values, defaults.values], defaults)
    }
    var subsets: [SubsetSettings] = []
    var plain: [String] = []
    if !(try FileListing.images(in: folder).isEmpty) {
      // Its own name says nothing: a folder called 2024_photos does not ask for 2024 repeats.
      subsets.append(subset(folder, repeats: nil, classTokens: nil))
      plain.append(folder.string)
    }
    for name in try FileListing.folders(in: folder) {
      let path = folder.appending(named: name)
      if let (repeats, tokens) = Self.repeatsAndClass(of: name) {
        guard repeats > 0 else {
          notices.append("\(path): passed over, its name says 0 repeats")
          continue
        }
        subsets.append(subset(path, repeats: repeats, classTokens: tokens))
      } else if !(try FileListing.images(in: path).isEmpty) {
        subsets.append(subset(path, repeats: nil, classTokens: nil))
        plain.append(path.string)
      }
    }
    guard !subsets.isEmpty else {
      throw .noImages(folder, detail: " in it, nor folders with such, '10_name' for 10 repeats")
    }
    for path in plain {
      let repeats = defaults.values.numRepeats ?? 1
      let counts = "each counts " + (repeats == 1 ? "once" : "\(repeats) times")
      if let name = FilePath(path).lastComponent?.string, let own = Self.repeatsAndClass(of: name) {
        notices.append(
          "\(path): \(counts); to have \(own.repeats) repeats by the name '\(name)', give the folder that "
            + "it lies in")
      } else {
        notices.append(
          "\(path): images are not in a folder named '10_name' for 10 repeats: \(counts)")
      }
    }
    return subsets
  }

  /// `10_my character` is ten repeats of "my character"; nil for a name without a number.
  static func repeatsAndClass(of name: String) -> (repeats: Int, classTokens: String?)? {
    let parts = name.split(separator: "_", maxSplits: 1, omittingEmptySubsequences: false)
    guard let repeats = parts.first.flatMap({ Int($0) }) else { return nil }
    let tokens = parts.count > 1 ? String(parts[1]) : ""
    return (repeats, tokens.isEmpty ? nil : tokens)
  }
}
