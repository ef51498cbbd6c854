import Safetensors
import SystemPackage
import TestSupport
import Testing

/// Opens `Fixtures/broken/NAME` and expects exactly this error, in one line that names the file.
func expectRejection(
  _ name: String, _ expected: (FilePath) -> SafetensorsError,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  let path = Fixtures.path("broken/\(name)")
  let error = #expect(throws: SafetensorsError.self, sourceLocation: sourceLocation) {
    try TensorFile(opening: path)
  }
  #expect(error == expected(path), sourceLocation: sourceLocation)
  let description = error.map(String.init(describing:)) ?? ""
  #expect(description.hasPrefix(path.string), sourceLocation: sourceLocation)
  #expect(!description.contains("\n"), sourceLocation: sourceLocation)
}
