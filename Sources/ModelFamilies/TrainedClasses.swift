/// Classes of layers by which trainers choose what of a family they train.
package struct TrainedClasses: Sendable {
  /// What kohya's `networks.lora` trains.
  package struct Kohya: Sendable {
    /// Of text encoders: linear layers.
    package let text: Set<String>
    /// Of the denoiser: linear layers and 1×1 convolutions.
    package let denoiser: Set<String>
    /// Of the denoiser, where convolutions have a rank.
    package let convolutions: Set<String>
    /// The program of sd-scripts or musubi-tuner that trains adapters of the family.
    package let script: String?
    /// What `--network_module` is called that is for the family alone; nil for `networks.lora`.
    package let module: String?
    /// Patterns of modules that are left out unless the user includes them.
    package let excluded: [String]
    /// The same, unless the user gives patterns of his own.
    package let excludedByDefault: [String]
  }

  /// nil for a family that kohya's scripts do not train.
  package let kohya: Kohya?
  /// Those that LyCORIS' presets name for this family, though others have layers of that class.
  package let presets: Set<String>

  /// Of a family whose file says nothing.
  static let none = TrainedClasses(kohya: nil, presets: [])
}
