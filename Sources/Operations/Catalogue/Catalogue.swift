/// The adapters and checkpoints below a folder; the JSON form of what `lyco-inspect FOLDER` says.
package struct Catalogue: Codable, Sendable {
  /// A file that could not be read, or a folder.
  package struct Fault: Codable, Sendable, Equatable {
    /// Relative to the folder.
    package let file: String
    package let reason: String
  }

  /// Files that hold the same tensors.
  package struct Duplicates: Codable, Sendable, Equatable {
    /// Relative to the folder, sorted.
    package let files: [String]
    /// What all but one of them take.
    package let bytes: Int
  }

  package let folder: String
  /// In the order of their names.
  package let entries: [CatalogueEntry]
  package let faults: [Fault]
  /// What was compared to find duplicates, a sentence.
  package let compared: String
  package let duplicates: [Duplicates]
  /// Caches of latents and of text encoders' outputs, which are no models.
  package let caches: Int

  /// Of all entries.
  package var bytes: Int { entries.reduce(0) { $0 + $1.bytes } }
}

/// One adapter, checkpoint or embedding of a catalogue, as its header has it.
package struct CatalogueEntry: Codable, Sendable {
  /// Relative to the folder: a file, the index of shards, or the folder of a pipeline or of PEFT.
  package let file: String
  package let kind: InspectedKind
  /// How it lies on disk.
  package let storage: String
  /// As `--family` takes it.
  package let family: String?
  /// Of an adapter, the most frequent first.
  package let algorithms: [AdapterSummary.Algorithm]
  /// Those of an adapter's modules, ascending, each once.
  package let ranks: [Int]
  package let bytes: Int
  package let tensors: Int
  package let parameters: Int
  /// Formats of numbers, the one with the most bytes first.
  package let dtypes: [String]

  // What the metadata say; nil where they do not.
  package let title: String?
  package let triggerPhrase: String?
  package let baseModel: String?
  /// SHA-256 of the base, or what stands for it.
  package let baseHash: String?
  /// The most frequent of the training captions.
  package let tags: [String]
  /// When training ended, as the metadata say.
  package let date: String?
  /// `sshs_model_hash`, as the metadata claim it.
  package let modelHash: String?

  /// When the file was last changed.
  package let modified: String?

  package var modules: Int { algorithms.reduce(0) { $0 + $1.modules } }
}
