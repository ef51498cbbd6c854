import Foundation
import SystemPackage
import TestSupport
import Testing

/// What `--json` prints against the tables of docs/lyco-inspect.md.
@Suite struct InspectJSONTests {
  /// First cells of the rows between a heading and the next: `statistics[].delta_norm`.
  private static func documented(under heading: String) throws -> Set<String> {
    let text = try String(
      contentsOfFile: Fixtures.path("../docs/lyco-inspect.md").string, encoding: .utf8)
    let part = try #require(text.split(separator: "\n### \(heading)\n").last)
    let section = part.split(separator: "\n#", maxSplits: 1)[0]
    return Set(
      section.split(separator: "\n").filter { $0.hasPrefix("| `") }.flatMap { row in
        row.split(separator: "|")[0].split(separator: "`").filter { $0.contains(/^[a-z]/) }
          .map(String.init)
      })
  }

  /// The names of all values. Those of `metadata` are the file's own.
  private static func names(_ value: Any, _ path: String = "") -> Set<String> {
    if let list = value as? [Any] {
      return list.reduce(into: []) { $0.formUnion(names($1, path + "[]")) }
    }
    guard let object = value as? [String: Any], path != "metadata" else { return [path] }
    return object.reduce(into: []) { found, member in
      found.formUnion(names(member.value, (path.isEmpty ? "" : path + ".") + member.key))
    }
  }

  private static func names(_ arguments: [String]) throws -> Set<String> {
    let run = ToolRun("lyco-inspect", arguments + ["--json"])
    return names(try JSONSerialization.jsonObject(with: Data(run.output.utf8)))
  }

  private static func path(_ name: String) -> String { Fixtures.path(name).string }

  /// Lists of plain values end in `[]`; empty ones have no names.
  private static func plain(_ names: Set<String>) -> Set<String> {
    Set(names.map { $0.hasSuffix("[]") ? String($0.dropLast(2)) : $0 })
  }

  /// Names of the tables that no value stands under; a list is there if an element of it is.
  private static func missing(_ documented: Set<String>, in found: Set<String>) -> Set<String> {
    documented.subtracting(plain(found)).filter { name in
      !found.contains { $0.hasPrefix(name + "[]") }
    }
  }

  @Test func everyNameOfAFileIsDocumentedAndThere() throws {
    let base = Self.path("real/fashion-ddpm/base.safetensors")
    let runs = [
      [
        Self.path("real/fashion-ddpm/trained-lora-r4.safetensors"), "--stats", "--spectrum",
        "--check", "--keys", "--against", base, "--reader", "comfyui", "--diff",
        Self.path("inspect/trained.safetensors"),
      ],
      [
        Self.path("inspect/trained.safetensors"), "--against", base, "--diff",
        Self.path("inspect/faulty.safetensors"), "--check",
      ],
      [Self.path("inspect/faulty.safetensors"), "--check", "--stats", "--reader", "a1111"],
      [
        Self.path("real/chgnet/base.safetensors"), "--diff",
        Self.path("real/chgnet/tuned.safetensors"),
      ],
      [
        Self.path("inspect/dora.safetensors"), "--reader", "diffusers", "--diff",
        Self.path("inspect/lokr.safetensors"),
      ],
      [Self.path("inspect/glora.safetensors"), "--reader", "peft"],
      [
        Self.path("lora/sd1-small/kohya.safetensors"), "--reader", "diffusers", "--diff",
        Self.path("lora/sd1-small/kohya.safetensors"),
      ],
      [Self.path("inspect/latents.safetensors")], [Self.path("inspect/diag-oft.safetensors")],
      [Self.path("inspect/bundle.safetensors")], [Self.path("quantized/bnb-nf4.safetensors")],
    ]
    let found = try runs.reduce(into: Set<String>()) { $0.formUnion(try Self.names($1)) }
    let documented = try Self.documented(under: "A file")
    #expect(Self.plain(found).subtracting(documented) == [], "not in the table")
    // What none of these files has.
    #expect(
      Self.missing(documented, in: found).subtracting([
        "notes", "adapter.notes", "difference.changed[].cosine", "difference.changed[].note",
        "quantizations[].refusal", "reading.findings[].error",
      ]) == [])
  }

  @Test func everyNameOfAFolderIsDocumentedAndThere() throws {
    let folder = TemporaryFolder()
    for name in ["a", "b"] {
      try FileManager.default.copyItem(
        atPath: Self.path("inspect/trained.safetensors"),
        toPath: folder.file("\(name).safetensors").string)
    }
    try folder.write("c.safetensors", bytes: [1])
    let found = try Self.names([folder.path.string])
    let documented = try Self.documented(under: "A folder")
    #expect(Self.plain(found).subtracting(documented) == [], "not in the table")
    // What this file does not say.
    #expect(
      Self.missing(documented, in: found).subtracting([
        "entries[].trigger_phrase", "entries[].base_hash",
      ]) == [])
  }
}
