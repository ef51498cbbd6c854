package import Machine
import SystemPackage

extension TrainingSet {
  /// Looks once at all numbers of encoded items that the model reads, so that what is none is found before the first
  /// step and not on the way. Does nothing where pictures are read.
  /// - Parameters:
  ///   - ranks: each looks at its share.
  ///   - progress: told of items that are read, and of all; returns whether to go on.
  /// - Throws: `DatasetError` that names file and array; `CancellationError`
  package func checkNumbers(
    over ranks: any Communicator = SingleProcess(), progress: (Int, Int) -> Bool
  ) throws {
    guard let demands else { return }
    var texts: Set<FilePath> = []
    let places = places
    for (number, place) in places.enumerated() where ranks.isOwn(number) {
      let example = self[place]
      try demands.checkNumbers(ofLatents: example.path)
      // Parts of one video share theirs.
      if let text = example.prepared?.text, texts.insert(text).inserted {
        try demands.checkNumbers(ofText: text)
      }
      guard progress(number + 1, places.count) else { throw CancellationError() }
    }
  }
}
