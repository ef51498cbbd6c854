import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// Files by the Python package (scripts/fixtures/make-safetensors-fixtures.py) and files that are odd but
/// valid (scripts/fixtures/make-broken-fixtures.py).
@Suite struct ReadingTests {
  private func open(_ name: String) throws -> TensorFile {
    try TensorFile(opening: Fixtures.path("safetensors/\(name).safetensors"))
  }

  @Test func readsValues() throws {
    let file = try open("shapes")
    #expect(file.layout == .single)
    #expect(file.metadata == ["format": "np"])
    #expect(file.tensors["scalar"]?.tensor() == Tensor(scalar: 2.5))
    #expect(file.tensors["matrix"]?.tensor() == Tensor([2, 3], [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5]))
    #expect(file.tensors["half"]?.tensor() == Tensor([6], [-0.75, -0.5, -0.25, 0, 0.25, 0.5]))
    #expect(file.tensors["double"]?.tensor() == Tensor([5], [-1, -0.5, 0, 0.5, 1]))
    #expect(file.tensors["bytes"]?.tensor() == Tensor([5], [0, 1, 2, 3, 4]))
    #expect(file.tensors["long"]?.tensor() == Tensor([2], [-7, 0x1p40]))
    #expect(file.tensors["bool"]?.tensor() == Tensor([3], [1, 0, 1]))
    #expect(file.tensors["empty"]?.tensor() == Tensor([0, 3], []))
    #expect(file.tensors["empty too"]?.shape == [4, 0])
    #expect(file.tensors["empty"]?.byteCount == 0)
  }

  /// Position in the file and in `names` of the fixture script.
  @Test func readsNames() throws {
    let file = try open("names")
    #expect(file.metadata == ["comment": "quotes \"\", line\nbreak, tab\t, \u{2}, slash /, 😀, é"])
    #expect(file.tensors["😀"]?.shape == [8])
    #expect(file.tensors["with \"quotes\" and \\backslash/"]?.shape == [9])
    #expect(file.tensors["line\nbreak\ttab\r\u{8}\u{C}"]?.shape == [10])
    #expect(file.tensors["control\u{1}\u{1F}\u{7F}"]?.shape == [11])
    #expect(file.tensors[""]?.shape == [12])
    #expect(file.tensors.count == 13)
  }

  @Test func readsEveryDType() throws {
    let file = try open("every-dtype")
    let dtypes = Set(file.tensors.values.map(\.dtype))
    // The Python package cannot write the 6-bit formats; `sub-byte` below has one.
    #expect(dtypes == Set(DType.allCases).subtracting([.f6e2m3, .f6e3m2]))
    for view in file.tensors.values {
      #expect(view.byteCount * 8 == view.shape.count * view.dtype.bitsPerElement)
    }
    #expect(octets(file.tensors["tensor.uint8"]) == [2, 39, 76, 113, 150, 187])
  }

  /// File order is that of the data.
  @Test func readsUnsortedOffsets() throws {
    let file = try open("odd/unsorted-offsets")
    #expect(Array(file.tensors.keys) == ["a", "b"])
    #expect(octets(file.tensors["a"]) == [0, 1, 2, 3])
    #expect(octets(file.tensors["b"]) == [4, 5, 6, 7])
  }

  @Test(arguments: [
    ("leading-and-trailing-space", ["a"]), ("space-everywhere", ["a"]), ("no-tensors", []),
    ("null-metadata", ["a"]), ("surrogate-pair", ["😀"]),
    ("every-escape", ["\"\\/\u{8}\u{C}\n\r\t\0"]), ("empty-name", [""]),
    ("unknown-fields", ["a"]), ("long-number", ["a"]), ("nested-to-the-limit", ["a"]),
    ("scalar", ["a"]), ("zero-sized", ["a", "z", "b"]), ("sub-byte", ["a", "b"]),
    ("header-that-begins-like-a-pickle", ["a"]),
  ])
  func readsOddButValid(_ name: String, _ tensors: [String]) throws {
    let file = try open("odd/\(name)")
    #expect(Array(file.tensors.keys) == tensors)
    #expect(file.metadata.isEmpty)
  }

  @Test func readsOddMetadata() throws {
    #expect(try open("odd/metadata-last").metadata == ["k": "v"])
    #expect(try open("odd/repeated-metadata-key").metadata == ["k": "2"])
    #expect(try open("odd/escaped-names").metadata == ["k": "v"])
    #expect(try open("odd/escaped-names").tensors.keys == ["a"])
  }

  /// A view keeps the mapping; the file need not.
  @Test func viewsOutliveTheFile() throws {
    var file: TensorFile? = try open("shapes")
    let view = file?.tensors["matrix"]
    file = nil
    #expect(view?.tensor().elements.last == 2.5)
  }
}
