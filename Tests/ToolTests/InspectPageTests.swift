import Foundation
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// `lyco-inspect --html`, by what stands in the page.
@Suite struct InspectPageTests {
  private func page(
    of file: FilePath, _ options: String...
  ) throws -> (run: ToolRun, page: PageReading, html: String) {
    let folder = TemporaryFolder()
    let run = ToolRun(
      "lyco-inspect", [file.string, "--html", folder.file("page.html").string] + options)
    let html = try String(contentsOfFile: folder.file("page.html").string, encoding: .utf8)
    return (run, PageReading(html), html)
  }

  private func json(of file: FilePath, _ options: String...) throws -> [String: Any] {
    let run = ToolRun("lyco-inspect", [file.string, "--json"] + options)
    return try #require(JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any])
  }

  @Test(arguments: [
    "inspect/trained.safetensors", "inspect/faulty.safetensors", "inspect/dora.safetensors",
    "inspect/latents.safetensors", "inspect/embedding.safetensors",
    "real/fashion-ddpm/trained-lora-r4.safetensors", "real/chgnet/base.safetensors",
  ])
  func aPageIsWellFormedAndAsksForNothing(file: String) throws {
    let (run, page, html) = try page(of: Fixtures.path(file), "--keys", "--metadata")
    #expect(run.status == 0, "\(run.errors)")
    #expect(run.output.hasPrefix("wrote "))
    #expect(page.faults == [])
    #expect(page.foreign == [])
    #expect(html.hasSuffix("</html>\n"))
  }

  /// Norms and ranks are those of `--json`, a row for each module.
  @Test func numbersAreThoseOfJSON() throws {
    let file = Fixtures.path("real/fashion-ddpm/trained-lora-r4.safetensors")
    let base = Fixtures.path("real/fashion-ddpm/base.safetensors").string
    let json = try json(of: file, "--stats", "--spectrum", "--against", base)
    let page = try page(of: file, "--against", base).page
    let statistics = try #require(json["statistics"] as? [[String: Any]])
    let spectra = try #require(json["spectra"] as? [[String: Any]])
    #expect(statistics.count == 83 && spectra.count == 83)
    let rows = Dictionary(
      page.rows.filter { $0.count == 9 }.map { ($0[0], $0) },
      uniquingKeysWith: { first, _ in first })
    for (module, spectrum) in zip(statistics, spectra) {
      let row = try #require(rows[module["name"] as? String ?? ""])
      #expect(row[2] == "\(module["rank"] as? Int ?? -1)")
      for (cell, value) in [(4, module["delta_norm"]), (5, module["relative_change"])] {
        let shown = try #require(Double(row[cell]))
        // Three digits are shown.
        #expect(abs(shown - (value as? Double ?? .nan)) <= 0.006 * shown, "\(row)")
      }
      #expect(row[6] == "\(spectrum["effective_rank"] as? Int ?? -1)")
      #expect(row[7] == "\(spectrum["rank90"] as? Int ?? -1)")
    }
    // A cell for each module in each of four maps: norm, relative change, rank, ranks for 90 %.
    let cells = page.elements.filter {
      $0.name == "rect" && $0.attributes["height"] == "16"
    }
    #expect(cells.count == 4 * 83)
  }

  /// ‖W' − W‖ / ‖W‖ of a DoRA, which has no ΔW without the weight, is that of the weights as they were merged.
  @Test func changesThatDependOnTheWeightAreMeasuredAgainstIt() throws {
    let folder = TemporaryFolder()
    let weight = Tensor([2, 2], [3, 0, 0, 4])
    let base = try folder.write(
      "base.safetensors", ["layers.0.weight": EncodedTensor(weight, as: .f32)])
    // W · b with (IA)³'s factor on the outputs is not asserted; GLoRA scales the weight itself.
    let adapter = try folder.write(
      "adapter.safetensors",
      [
        "layers.0.lora_up.weight": EncodedTensor(Tensor([2, 1], [0, 0]), as: .f32),
        "layers.0.lora_down.weight": EncodedTensor(Tensor([1, 2], [1, 1]), as: .f32),
        "layers.0.dora_scale": EncodedTensor(Tensor([1, 2], [6, 8]), as: .f32),
      ])
    let json = try json(of: adapter, "--stats", "--against", base.string)
    let row = try #require((json["statistics"] as? [[String: Any]])?.first)
    // Columns of length 3 and 4 become 6 and 8: W' = 2W.
    #expect(row["weight_norm"] as? Double == 5)
    #expect(abs((row["relative_change"] as? Double ?? 0) - 1) < 1e-6)
    #expect(row["delta_norm"] == nil)
  }

  @Test func findingsSayWhatToDo() throws {
    let json = try json(of: Fixtures.path("inspect/faulty.safetensors"), "--check")
    let check = try #require(json["check"] as? [String: [String]])
    let (findings, advice) = (check["findings"] ?? [], check["advice"] ?? [])
    #expect(!findings.isEmpty && findings.count == advice.count)
    let page = try page(of: Fixtures.path("inspect/faulty.safetensors"))
    for text in findings + advice { #expect(page.page.text.contains(text), "\(text)") }
    // The status tells of what was asked for.
    #expect(page.run.status == 0)
    let asked = try self.page(of: Fixtures.path("inspect/faulty.safetensors"), "--check")
    #expect(asked.run.status == 2)
  }

  @Test func whatStrangersWroteIsShownAsText() throws {
    let hostile = [
      "<script>alert(1)</script>", "\"'><img src=x onerror=alert(1)>", "\u{202E}turned\u{2066}",
      "bell\u{7}\u{1B}[31m", String(repeating: "x", count: 200_000), "</style></title>",
    ]
    let folder = TemporaryFolder()
    var metadata: [String: String] = ["modelspec.title": hostile[0], "ss_output_name": hostile[2]]
    for (index, text) in hostile.enumerated() { metadata["\(text.prefix(500)) \(index)"] = text }
    let tags = try JSONSerialization.data(
      withJSONObject: ["10_x": Dictionary(uniqueKeysWithValues: hostile.map { ($0, 3) })])
    metadata["ss_tag_frequency"] = String(decoding: tags, as: UTF8.self)
    let name = "lora_unet_<b>_\u{202E}\""
    let file = try folder.write(
      "a<b>&.safetensors",
      [
        "\(name).lora_up.weight": EncodedTensor(Tensor([2, 1], [1, 2]), as: .f32),
        "\(name).lora_down.weight": EncodedTensor(Tensor([1, 2], [1, 1]), as: .f32),
      ], metadata: metadata)
    let (_, page, html) = try page(of: file, "--keys", "--metadata")
    #expect(page.faults == [])
    #expect(page.foreign == [])
    #expect(page.text.contains("<script>alert(1)</script>"))
    #expect(html.utf8.count < 100_000)
    let folderPage = folder.file("catalogue.html")
    try folder.write("b.safetensors", ["w": EncodedTensor(Tensor(zeros: [2, 2]), as: .f32)])
    _ = ToolRun("lyco-inspect", [folder.path.string, "--html", folderPage.string])
    let catalogue = PageReading(try String(contentsOfFile: folderPage.string, encoding: .utf8))
    #expect(catalogue.faults == [])
    #expect(catalogue.foreign == [])
  }

  /// The bar of issue 19, by an adapter of SDXL's 794 layers of rank 1 in LyCORIS' names.
  @Test func anAdapterOfSDXLIsBelowOneMegabyte() throws {
    let lines = try String(
      contentsOfFile: Fixtures.path("families/sdxl.sgm.txt").string, encoding: .utf8)
    let start = "model.diffusion_model."
    var tensors: [String: EncodedTensor] = [:]
    for line in lines.split(separator: "\n") where line.hasPrefix(start) {
      let parts = line.split(separator: "\t")
      let extents = parts[1].split(separator: "x").compactMap { Int($0) }
      guard parts[0].hasSuffix(".weight"), extents.count > 1 else { continue }
      let path = parts[0].dropFirst(start.count).dropLast(7)
      let name = "lora_unet_" + path.map { $0 == "." ? "_" : String($0) }.joined()
      let ones = [Int](repeating: 1, count: extents.count - 2)
      tensors["\(name).lora_down.weight"] = EncodedTensor(
        Tensor(
          Shape([1] + extents.dropFirst()),
          [Float](repeating: 0.01, count: extents.dropFirst().reduce(1, *))), as: .f16)
      tensors["\(name).lora_up.weight"] = EncodedTensor(
        Tensor(Shape([extents[0], 1] + ones), (0..<extents[0]).map { Float($0 % 7) }), as: .f16)
      tensors["\(name).alpha"] = EncodedTensor(Tensor([], [1]), as: .f16)
    }
    #expect(tensors.count / 3 == 794)
    let folder = TemporaryFolder()
    let file = try folder.write("sdxl.safetensors", tensors)
    let (run, page, html) = try page(of: file)
    #expect(run.status == 0)
    #expect(page.faults == [])
    #expect(html.utf8.count < 1_000_000, "\(html.utf8.count)")
    #expect(page.text.contains("All 794 modules"))
  }

  @Test func aPageHasAPlaceOfItsOwn() throws {
    let file = Fixtures.path("inspect/ia3.safetensors").string
    let folder = TemporaryFolder()
    for (arguments, words) in [
      ([file, "--html", folder.file("x.safetensors").string], "expected the name of a page"),
      (
        [file, file, "--html", folder.file("x.html").string], "expected one file or folder, found 2"
      ),
    ] {
      let run = ToolRun("lyco-inspect", arguments)
      #expect(run.status == 64)
      #expect(run.errors.contains(words))
      #expect(directoryEntries(folder.path).isEmpty)
    }
    // The name of an input, or another name of it.
    try FileManager.default.copyItem(atPath: file, toPath: folder.file("a.html").string)
    let before = try contents(of: folder.file("a.html"))
    for arguments in [
      ["a.html", "--html", "./a.html"], [file, "--diff", "a.html", "--html", "a.html"],
    ] {
      let run = ToolRun("lyco-inspect", arguments, in: folder.path)
      #expect(run.status == 64)
      #expect(run.errors.contains("expected a place of its own for the page, found the input"))
      #expect(try contents(of: folder.file("a.html")) == before)
    }
    try FileManager.default.removeItem(atPath: folder.file("a.html").string)
    let failed = ToolRun(
      "lyco-inspect",
      [
        Fixtures.path("broken/truncated-data.safetensors").string, "--html",
        folder.file("x.html").string,
      ])
    #expect(failed.status == 1)
    #expect(directoryEntries(folder.path).isEmpty)
  }
}
